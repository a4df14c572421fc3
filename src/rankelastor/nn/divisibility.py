"""Check that one size divides another; the error lists the sizes that do."""

from rankelastor.nn.sizes import SizesDoNotFit


def check_divides(size: int, size_name: str, parts: int, parts_name: str, *, purpose: str) -> int:
    """Check that ``parts`` divides ``size``, and return ``size // parts``.

    Example:
        >>> check_divides(100, "field * embedding_dim", 4, "num_tokens", purpose="the split tokenizer")
        25
        >>> check_divides(10, "width", 4, "num_parts", purpose="a cut")
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
