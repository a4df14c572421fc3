"""Load batches of a prepared split: order the rows, gather them, read ahead."""
