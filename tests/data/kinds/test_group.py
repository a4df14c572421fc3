from rankelastor.data.kinds.group import GroupField


def test_a_group_is_no_feature() -> None:
    field = GroupField(kind="group", column="user")
    assert field.names_group
    assert list(field.plan("user")) == []
