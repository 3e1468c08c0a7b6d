"""Deblenders against truth: the published protocols, with the definitions of the MADNESS paper."""

from .chain import Chain, ChainResult, FieldResult, evaluate_field
from .fields import Field, FieldFolder, FieldSetting, open_fields
from .images import SourceImages, models_from_array
from .matching import Detection, Match, match_objects
from .scores import Deblended, Scores, concatenate_scores, reference_band
from .scoring import score_field

__all__ = [
    "Chain",
    "ChainResult",
    "Deblended",
    "Detection",
    "Field",
    "FieldFolder",
    "FieldResult",
    "FieldSetting",
    "Match",
    "Scores",
    "SourceImages",
    "concatenate_scores",
    "evaluate_field",
    "match_objects",
    "models_from_array",
    "open_fields",
    "reference_band",
    "score_field",
]
