from frameworks.models.attribute import Attribute
from frameworks.models.catalog import AccountList, Dimension, Segment
from frameworks.models.comment import Comment, Mention
from frameworks.models.delegation import Delegation
from frameworks.models.framework import Framework, FrameworkVersion
from frameworks.models.help import HelpRequest
from frameworks.models.impact import VersionImpact
from frameworks.models.part import Confirmation, Contribution, Kind, Part, PartBody
from frameworks.models.people import User
from frameworks.models.signoff import Requirement, Signoff

__all__ = [
    "AccountList",
    "Attribute",
    "Comment",
    "Confirmation",
    "Contribution",
    "Delegation",
    "Dimension",
    "Framework",
    "FrameworkVersion",
    "HelpRequest",
    "Kind",
    "Mention",
    "Part",
    "PartBody",
    "Requirement",
    "Segment",
    "Signoff",
    "User",
    "VersionImpact",
]
