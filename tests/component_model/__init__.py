"""The component model's own tests, from a checkout that ``COMPONENT_MODEL`` names."""
