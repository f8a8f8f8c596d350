"""The nine services of the « lieux de médiation numérique » standard: what a voucher may pay for."""

from enum import Enum


class Service(Enum):
    """A service rendered at the counter. `value` is the stable code; `label` the French words of the standard, v1.0.2, to the letter."""

    label: str

    ADMINISTRATIVE_PROCEDURES = "administrative_procedures", "Aide aux démarches administratives"
    EVERYDAY_DIGITAL_TOOLS = "everyday_digital_tools", "Maîtrise des outils numériques du quotidien"
    DIGITAL_EMPLOYABILITY = "digital_employability", "Insertion professionnelle via le numérique"
    SAFE_DIGITAL_USE = "safe_digital_use", "Utilisation sécurisée du numérique"
    PARENTHOOD_AND_EDUCATION = "parenthood_and_education", "Parentalité et éducation avec le numérique"
    LEISURE_AND_CREATION = "leisure_and_creation", "Loisirs et créations numériques"
    DIGITAL_WORLD_UNDERSTANDING = "digital_world_understanding", "Compréhension du monde numérique"
    INTERNET_AND_EQUIPMENT_ACCESS = "internet_and_equipment_access", "Accès internet et matériel informatique"
    SOLIDARITY_EQUIPMENT_PURCHASE = (
        "solidarity_equipment_purchase",
        "Acquisition de matériel informatique à prix solidaire",
    )

    def __new__(cls, code: str, label: str) -> "Service":
        service = object.__new__(cls)
        service._value_ = code
        service.label = label
        return service

    @classmethod
    def of_label(cls, label: str) -> "Service":
        """The service with exactly this French label. Raises KeyError if there is none."""
        return _BY_LABEL[label]


_BY_LABEL = {service.label: service for service in Service}
