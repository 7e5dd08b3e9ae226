"""Headers of a patient, and the removal of what identifies her."""

from __future__ import annotations

import re

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from s3net_monai.inference.discovery.header_values import collect_identifiers
from s3net_monai.inference.discovery.identifiers import redact as redact_by
from s3net_monai.inference.discovery.spellings import Identifier
from s3net_monai.utils.pseudonyms import Pseudonyms

PSEUDONYM = re.compile("anon-[0-9a-f]{12}")
SECRET = bytes(range(32))
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


def redact(text: str, identifiers: frozenset[Identifier]) -> str:
    """Replace identifiers with the pseudonyms of a fixed secret."""
    return redact_by(text, identifiers, Pseudonyms(lambda: SECRET))


def without_digests(text: str) -> str:
    """Return a text without pseudonyms and SHA-256 sums, in whose random digits any short number can appear."""
    return _DIGEST.sub("", PSEUDONYM.sub("anon", text))


def header(**tags: object) -> Dataset:
    """Return a data set with some attributes."""
    dataset = Dataset()
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


def item(**tags: object) -> Sequence:
    """Return a sequence of one item."""
    return Sequence([header(**tags)])


JANE = collect_identifiers(
    header(
        PatientName="Müller^Jane^K^^Dr",
        PatientID="MRN-00417",
        OtherPatientIDs=["A17", "X99"],
        PatientBirthDate="19700131",
        StudyDate="20240203",
        AcquisitionDateTime="20231105101530.250+0100",
        AccessionNumber="ACC5521",
        ReferringPhysicianName="Li^Wei",
        NameOfPhysiciansReadingStudy="Ōta^Ken",
        InstitutionName="St. Anna Hospital",
        PatientTelephoneNumbers="+49 (30) 1234-567",
        PatientAddress="Musterstr. 12^10115 Köln",
        SeriesInstanceUID="1.2.3.4",
        SeriesDescription="Thorax mit KM",
        StudyComments="call 0151 2345678 first",
        RequestAttributesSequence=item(RequestedProcedureID="RP0815"),
        OtherPatientIDsSequence=item(PatientID="OLD2244"),
        ReferencedStudySequence=item(ReferencedSOPInstanceUID="1.2.3.55.66.77.88"),
    )
)
