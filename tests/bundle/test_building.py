"""Plan and index of a component: their bytes follow from their values."""

from edgezero_spin.bundle.building import BundlePlan, PlannedModule


def test_equal_plans_are_the_same_bytes() -> None:
    """Whoever else holds their strings, so that two builds of one app are the same."""
    name = "shop.words"
    shared = PlannedModule(name, name, name)
    apart = PlannedModule(*("".join(["shop", ".words"]) for _ in range(3)))
    plans = [BundlePlan(folder="/1", modules=[each], extensions=[]) for each in (shared, apart)]
    assert plans[0].dumps() == plans[1].dumps()
    assert BundlePlan.loads(plans[0].dumps()) == plans[1]
