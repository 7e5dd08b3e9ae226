"""Which module of MONAI the short name of a component in a config means, such as ``LoadImaged``."""

from __future__ import annotations

from monai.bundle import ComponentLocator

from s3net_monai.utils.quick_monai import import_rest


class ComponentNames(ComponentLocator):
    """MONAI's table of names, which for a name that it lacks grows by the modules that were not imported yet."""

    def get_component_module_name(self, name: str) -> list[str] | str | None:
        """Return the module of a component, a list where several have one of this name, None where none has."""
        found: list[str] | str | None = super().get_component_module_name(name)
        if found is None and "." not in name and import_rest():
            self._components_table = None
            found = super().get_component_module_name(name)
        return found
