"""The joint profile fit."""
