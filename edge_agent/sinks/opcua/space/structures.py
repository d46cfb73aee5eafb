"""The job structures of OPC 10031-4 (ISA-95 job control) and the run structure of OPC 40540.

Written by hand, field for field as in the models, so that none of the models has to be read to encode them. The
fields' names, order, types and which are optional are the models' (the tests compare them, and the bytes).

`register` makes them known to asyncua, which then encodes and decodes them by their Default Binary NodeIds. Those, and
the data types' NodeIds, hold for the namespace indices that this server always has. `Encoding` is the mask of
the optional fields that are there: asyncua asks for it first among the fields, and reckons it itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from asyncua import ua

from .nodeset import Key
from .wire import node_id

JOB_CONTROL = 5
"""Index of the namespace of OPC 10031-4."""
ADDITIVE = 11
"""Index of the namespace of OPC 40540."""

if TYPE_CHECKING:
    String = str
    DecimalString = str
    DateTime = datetime
    Int16 = int
    UInt32 = int
    Duration = float
else:  # asyncua finds an encoding by exactly these classes, and is content with values of the ones above
    String = ua.String
    DecimalString = ua.DecimalString
    DateTime = ua.DateTime
    Int16 = ua.Int16
    UInt32 = ua.UInt32
    Duration = ua.Duration


class Typed(Protocol):
    """A structure, as a class: it knows its data type."""

    data_type: ClassVar[ua.NodeId]


@dataclass(frozen=True, slots=True, kw_only=True)
class ISA95StateDataType:
    """A state of a job. An empty ``BrowsePath`` is the top-level state, another leads to a sub state machine."""

    data_type: ClassVar[ua.NodeId] = node_id(Key(JOB_CONTROL, 3006))

    BrowsePath: ua.RelativePath
    StateText: ua.LocalizedText
    StateNumber: UInt32


@dataclass(frozen=True, slots=True, kw_only=True)
class ISA95PropertyDataType:
    """A property of a resource: a key and a value."""

    data_type: ClassVar[ua.NodeId] = node_id(Key(JOB_CONTROL, 3002))

    Encoding: UInt32 = field(default=0, repr=False, compare=False)
    ID: String
    Value: ua.Variant
    Description: list[ua.LocalizedText] | None = None
    EngineeringUnits: ua.EUInformation | None = None
    Subproperties: list[ISA95PropertyDataType] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ISA95ParameterDataType:
    """A parameter of a job: a key and a value."""

    data_type: ClassVar[ua.NodeId] = node_id(Key(JOB_CONTROL, 3003))

    Encoding: UInt32 = field(default=0, repr=False, compare=False)
    ID: String
    Value: ua.Variant
    Description: list[ua.LocalizedText] | None = None
    EngineeringUnits: ua.EUInformation | None = None
    Subparameters: list[ISA95ParameterDataType] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ISA95WorkMasterDataType:
    """A recipe: here, the file that is printed."""

    data_type: ClassVar[ua.NodeId] = node_id(Key(JOB_CONTROL, 3007))

    Encoding: UInt32 = field(default=0, repr=False, compare=False)
    ID: String
    Description: ua.LocalizedText | None = None
    Parameters: list[ISA95ParameterDataType] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ISA95MaterialDataType:
    """Material, and how much of it."""

    data_type: ClassVar[ua.NodeId] = node_id(Key(JOB_CONTROL, 3010))

    Encoding: UInt32 = field(default=0, repr=False, compare=False)
    MaterialClassID: String | None = None
    MaterialDefinitionID: String | None = None
    MaterialLotID: String | None = None
    MaterialSublotID: String | None = None
    Description: list[ua.LocalizedText] | None = None
    MaterialUse: String | None = None
    Quantity: DecimalString | None = None
    EngineeringUnits: ua.EUInformation | None = None
    Properties: list[ISA95PropertyDataType] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ISA95EquipmentDataType:
    """Equipment, and how much of it."""

    data_type: ClassVar[ua.NodeId] = node_id(Key(JOB_CONTROL, 3005))

    Encoding: UInt32 = field(default=0, repr=False, compare=False)
    ID: String
    Description: list[ua.LocalizedText] | None = None
    EquipmentUse: String | None = None
    Quantity: DecimalString | None = None
    EngineeringUnits: ua.EUInformation | None = None
    Properties: list[ISA95PropertyDataType] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ISA95PersonnelDataType:
    """A person, or a class of persons."""

    data_type: ClassVar[ua.NodeId] = node_id(Key(JOB_CONTROL, 3011))

    Encoding: UInt32 = field(default=0, repr=False, compare=False)
    ID: String
    Description: list[ua.LocalizedText] | None = None
    PersonnelUse: String | None = None
    Quantity: DecimalString | None = None
    EngineeringUnits: ua.EUInformation | None = None
    Properties: list[ISA95PropertyDataType] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ISA95PhysicalAssetDataType:
    """A physical asset, and how much of it."""

    data_type: ClassVar[ua.NodeId] = node_id(Key(JOB_CONTROL, 3012))

    Encoding: UInt32 = field(default=0, repr=False, compare=False)
    ID: String
    Description: list[ua.LocalizedText] | None = None
    PhysicalAssetUse: String | None = None
    Quantity: DecimalString | None = None
    EngineeringUnits: ua.EUInformation | None = None
    Properties: list[ISA95PropertyDataType] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ISA95JobOrderDataType:
    """What is to be done, as it was ordered."""

    data_type: ClassVar[ua.NodeId] = node_id(Key(JOB_CONTROL, 3008))

    Encoding: UInt32 = field(default=0, repr=False, compare=False)
    JobOrderID: String
    Description: list[ua.LocalizedText] | None = None
    WorkMasterID: list[ISA95WorkMasterDataType] | None = None
    StartTime: DateTime | None = None
    EndTime: DateTime | None = None
    Priority: Int16 | None = None
    JobOrderParameters: list[ISA95ParameterDataType] | None = None
    PersonnelRequirements: list[ISA95PersonnelDataType] | None = None
    EquipmentRequirements: list[ISA95EquipmentDataType] | None = None
    PhysicalAssetRequirements: list[ISA95PhysicalAssetDataType] | None = None
    MaterialRequirements: list[ISA95MaterialDataType] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ISA95JobOrderAndStateDataType:
    """A job order and how far it is; the first state is the top-level one."""

    data_type: ClassVar[ua.NodeId] = node_id(Key(JOB_CONTROL, 3015))

    JobOrder: ISA95JobOrderDataType
    State: list[ISA95StateDataType]


@dataclass(frozen=True, slots=True, kw_only=True)
class ISA95JobResponseDataType:
    """What became of a job order; the first state is the top-level one."""

    data_type: ClassVar[ua.NodeId] = node_id(Key(JOB_CONTROL, 3013))

    Encoding: UInt32 = field(default=0, repr=False, compare=False)
    JobResponseID: String
    Description: ua.LocalizedText | None = None
    JobOrderID: String
    StartTime: DateTime | None = None
    EndTime: DateTime | None = None
    JobState: list[ISA95StateDataType]
    JobResponseData: list[ISA95ParameterDataType] | None = None
    PersonnelActuals: list[ISA95PersonnelDataType] | None = None
    EquipmentActuals: list[ISA95EquipmentDataType] | None = None
    PhysicalAssetActuals: list[ISA95PhysicalAssetDataType] | None = None
    MaterialActuals: list[ISA95MaterialDataType] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfoDataType:
    """One run of a job on an additive manufacturing machine. ``RemainingTime`` is in ms, as every Duration."""

    data_type: ClassVar[ua.NodeId] = node_id(Key(ADDITIVE, 3001))

    Encoding: UInt32 = field(default=0, repr=False, compare=False)
    CurrentLayer: UInt32 | None = None
    Identifier: String
    State: ISA95StateDataType
    RemainingTime: Duration | None = None


class Structure(NamedTuple):
    """A structure's class, and the NodeId of its Default Binary encoding."""

    type: type[Typed]
    encoding: ua.NodeId


STRUCTURES = (
    Structure(ISA95PropertyDataType, node_id(Key(JOB_CONTROL, 5002))),
    Structure(ISA95ParameterDataType, node_id(Key(JOB_CONTROL, 5005))),
    Structure(ISA95EquipmentDataType, node_id(Key(JOB_CONTROL, 5008))),
    Structure(ISA95WorkMasterDataType, node_id(Key(JOB_CONTROL, 5011))),
    Structure(ISA95JobOrderDataType, node_id(Key(JOB_CONTROL, 5014))),
    Structure(ISA95MaterialDataType, node_id(Key(JOB_CONTROL, 5017))),
    Structure(ISA95PersonnelDataType, node_id(Key(JOB_CONTROL, 5020))),
    Structure(ISA95PhysicalAssetDataType, node_id(Key(JOB_CONTROL, 5023))),
    Structure(ISA95JobResponseDataType, node_id(Key(JOB_CONTROL, 5026))),
    Structure(ISA95StateDataType, node_id(Key(JOB_CONTROL, 5029))),
    Structure(ISA95JobOrderAndStateDataType, node_id(Key(JOB_CONTROL, 5032))),
    Structure(RunInfoDataType, node_id(Key(ADDITIVE, 5036))),
)


def register() -> None:
    """Make the structures known to asyncua: it keeps them for the whole process. Doing so again changes nothing."""
    for structure in STRUCTURES:
        ua.register_extension_object(
            structure.type.__name__, structure.encoding, structure.type, structure.type.data_type
        )
