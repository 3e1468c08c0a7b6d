"""Deblenders against truth: the published protocols, with the definitions of the MADNESS paper."""

from .card import CARD_VERSION, DEFINITIONS, make_card, score_table
from .chain import Chain, ChainResult, FieldResult, evaluate_field
from .compare import compare_scores
from .field_folder import FieldFolder, open_fields
from .fields import Field, FieldSetting
from .images import SourceImages, models_from_array
from .matching import Detection, Match, match_objects
from .metrics import metric_versions, missing_metrics
from .reference import read_reference_scores
from .residuals import colour_residuals
from .samples import BIN_EDGES, KAPPA_LIMIT, kept
from .scores import Deblended, Scores, concatenate_scores, reference_band
from .scoring import score_field
from .summary import summarise
from .table import ScoreTable

__all__ = [
    "BIN_EDGES",
    "CARD_VERSION",
    "DEFINITIONS",
    "KAPPA_LIMIT",
    "Chain",
    "ChainResult",
    "Deblended",
    "Detection",
    "Field",
    "FieldFolder",
    "FieldResult",
    "FieldSetting",
    "Match",
    "ScoreTable",
    "Scores",
    "SourceImages",
    "colour_residuals",
    "compare_scores",
    "concatenate_scores",
    "evaluate_field",
    "kept",
    "make_card",
    "match_objects",
    "metric_versions",
    "missing_metrics",
    "models_from_array",
    "open_fields",
    "read_reference_scores",
    "reference_band",
    "score_field",
    "score_table",
    "summarise",
]
