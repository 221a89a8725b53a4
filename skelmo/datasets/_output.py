"""The forms in which a data set is returned."""

OUTPUT_CONSTRAINTS = {"return_X_y": ["boolean"], "as_frame": ["boolean"]}


def convert(bunch, return_X_y, as_frame, columns=None):
    """Return a Bunch, or its data and target, as lists and arrays or from pandas.

    `columns` are those of the frame beside "text" and "label", in between.
    """
    if as_frame:
        import pandas as pd

        bunch.frame = pd.DataFrame(
            {"text": bunch.data, **(columns or {}), "label": bunch.target}
        )
        bunch.data, bunch.target = bunch.frame["text"], bunch.frame["label"]
    return (bunch.data, bunch.target) if return_X_y else bunch
