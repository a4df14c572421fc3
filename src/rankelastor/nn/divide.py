"""Check that sizes divide, with an error that names sizes that do."""

from rankelastor.nn.sizes import SizesDoNotFit


def divided(size: int, size_name: str, parts: int, parts_name: str, *, purpose: str) -> int:
    """``size / parts``, where it is a whole number.

    Example:
        >>> divided(100, "field * embedding_dim", 4, "num_tokens", purpose="the split tokenizer")
        25
        >>> divided(10, "width", 4, "num_parts", purpose="a cut")
        Traceback (most recent call last):
        rankelastor.nn.sizes.SizesDoNotFit: num_parts must divide width = 10 for a cut, but 4 was given; \
try one of 1, 2, 5, 10

    Raises:
        SizesDoNotFit: ``parts`` does not divide ``size``.
    """
    if size % parts:
        near = [str(divisor) for divisor in range(1, size + 1) if size % divisor == 0]
        raise SizesDoNotFit(
            f"{parts_name} must divide {size_name} = {size} for {purpose}, but {parts} was given; "
            f"try one of {', '.join(near)}"
        )
    return size // parts
