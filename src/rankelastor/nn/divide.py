"""Check that sizes divide, with an error that names sizes that do."""


def divided(size: int, size_name: str, parts: int, parts_name: str, *, purpose: str) -> int:
    """``size / parts``, where it is a whole number.

    Example:
        >>> divided(100, "field * embedding_dim", 4, "num_tokens", purpose="the split tokenizer")
        25
        >>> divided(100, "field * embedding_dim", 7, "num_tokens", purpose="the split tokenizer")
        Traceback (most recent call last):
        ValueError: num_tokens must divide field * embedding_dim = 100 for the split tokenizer, but 7 was given; \
try one of 1, 2, 4, 5, 10, 20, 25, 50, 100

    Raises:
        ValueError: ``parts`` does not divide ``size``.
    """
    if size % parts:
        near = [str(divisor) for divisor in range(1, size + 1) if size % divisor == 0]
        raise ValueError(
            f"{parts_name} must divide {size_name} = {size} for {purpose}, but {parts} was given; "
            f"try one of {', '.join(near)}"
        )
    return size // parts
