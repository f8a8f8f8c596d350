"""The nine services of the « lieux de médiation numérique » standard: what a voucher may pay for."""

from enum import StrEnum


class Service(StrEnum):
    """A service rendered at the counter, by its stable code; `label` is its French name."""

    ADMINISTRATIVE_PROCEDURES = "administrative_procedures"
    EVERYDAY_DIGITAL_TOOLS = "everyday_digital_tools"
    DIGITAL_EMPLOYABILITY = "digital_employability"
    SAFE_DIGITAL_USE = "safe_digital_use"
    PARENTHOOD_AND_EDUCATION = "parenthood_and_education"
    LEISURE_AND_CREATION = "leisure_and_creation"
    DIGITAL_WORLD_UNDERSTANDING = "digital_world_understanding"
    INTERNET_AND_EQUIPMENT_ACCESS = "internet_and_equipment_access"
    SOLIDARITY_EQUIPMENT_PURCHASE = "solidarity_equipment_purchase"

    @property
    def label(self) -> str:
        """The French words of the standard v1.0.2, to the letter."""
        return _LABELS[self]

    @classmethod
    def of_code(cls, code: str) -> "Service":
        """The service of this code. Raises KeyError if there is none."""
        return _BY_CODE[code]

    @classmethod
    def of_label(cls, label: str) -> "Service":
        """The service with exactly this French label. Raises KeyError if there is none."""
        return _BY_LABEL[label]


_LABELS = {
    Service.ADMINISTRATIVE_PROCEDURES: "Aide aux démarches administratives",
    Service.EVERYDAY_DIGITAL_TOOLS: "Maîtrise des outils numériques du quotidien",
    Service.DIGITAL_EMPLOYABILITY: "Insertion professionnelle via le numérique",
    Service.SAFE_DIGITAL_USE: "Utilisation sécurisée du numérique",
    Service.PARENTHOOD_AND_EDUCATION: "Parentalité et éducation avec le numérique",
    Service.LEISURE_AND_CREATION: "Loisirs et créations numériques",
    Service.DIGITAL_WORLD_UNDERSTANDING: "Compréhension du monde numérique",
    Service.INTERNET_AND_EQUIPMENT_ACCESS: "Accès internet et matériel informatique",
    Service.SOLIDARITY_EQUIPMENT_PURCHASE: "Acquisition de matériel informatique à prix solidaire",
}
_BY_LABEL = {label: service for service, label in _LABELS.items()}
_BY_CODE = {service.value: service for service in Service}
