"""Faults point at what is wrong as RFC 6901 writes it."""

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from api.problems import faults_of, sentence


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    count: int = 0


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"count": "x"}, "/count"), ({"a/b~c": 1}, "/a~1b~0c"), ({"": 1}, "/"), (None, "")],
)
def test_a_fault_names_its_place(body: object, pointer: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _Body.model_validate(body)

    faults = faults_of(caught.value)
    assert [fault[0] for fault in faults] == [pointer]
    assert sentence(faults)
