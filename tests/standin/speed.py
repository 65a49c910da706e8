"""What moto works out anew for every value of an answer, and need not: it is kept, or not asked for.

Much of the time of tests that read the stand-in goes into its answers. They stay the same:
``tests/test_standin_sample.py`` collects the bundled sample anew, and ``tests/test_standin.py``
holds what is kept against what moto works out.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any

import moto.backends
import moto.core.responses
import xmltodict
from moto.core.serialize import MISSING, AttributePickerContext, XFormedAttributePicker
from moto.core.utils import get_value
from moto.ec2.models.tags import TagBackend
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE, get_prefix

__all__ = ["install"]


KEYS = XFormedAttributePicker.get_possible_keys
TAGS = TagBackend.describe_tags
"""As moto has them."""


def install() -> None:
    """Make moto's answers quicker."""
    XFormedAttributePicker.get_possible_keys = possible_keys  # type: ignore[assignment, method-assign]
    XFormedAttributePicker.__call__ = picked  # type: ignore[method-assign]
    TagBackend.describe_tags = described_tags  # type: ignore[method-assign]
    xmltodict._validate_name = cache(xmltodict._validate_name)
    # The services there are, and the methods of a class, are looked up for every request.
    modules = tuple(moto.backends.list_of_moto_modules())
    moto.backends.list_of_moto_modules = lambda: iter(modules)
    moto.core.responses.method_names_from_class = cache(moto.core.responses.method_names_from_class)  # type: ignore[attr-defined]


_KEPT: dict[tuple[object, ...], tuple[str, ...]] = {}


def possible_keys(picker: Any, context: AttributePickerContext) -> Iterator[str]:
    """Keep by which names an attribute may be found: by its class, the member and its shape."""
    shape = context.shape
    if shape is None:
        return KEYS(picker, context)
    parent = getattr(shape, "parent", None)
    about = (
        context.service_model and context.service_model.service_name,
        type(context.obj),
        context.key,
        shape.name,
        shape.serialization.get("name"),
        parent and parent.name,
    )
    if about not in _KEPT:
        _KEPT[about] = tuple(dict.fromkeys(KEYS(picker, context)))
    return iter(_KEPT[about])


def picked(picker: Any, context: AttributePickerContext) -> Any:
    """Return a value, transformed as its path wants it; of every path that is asked for once."""
    value = None
    for name in picker.get_possible_keys(context):
        found = get_value(context.obj, name, MISSING)
        if found is not MISSING:
            value = found
            break
    kept = vars(picker).setdefault("_transforms", {})
    path = f"{context.key_path}.{context.key}"
    if path not in kept:
        transforms = picker.response_transformers.items()
        kept[path] = next((how for ending, how in transforms if path.endswith(ending)), None)
    return value if kept[path] is None else kept[path](value)


def described_tags(
    backend: Any, filters: dict[str, list[str]] | None = None
) -> list[dict[str, str]]:
    """Find the tags of one resource by its id, where moto matches every tag of the account."""
    asked = (filters or {}).get("resource-id", [])
    if not filters or len(filters) > 1 or len(asked) != 1 or set(asked[0]) & set("*?[\\"):
        return TAGS(backend, filters)
    (id,) = asked
    kind = EC2_PREFIX_TO_RESOURCE.get(get_prefix(id), "")
    return [
        {"resource_id": id, "key": key, "value": value, "resource_type": kind}
        for key, value in backend.tags.get(id, {}).items()
    ]
