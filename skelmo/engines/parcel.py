"""What an engine carries to its workers, unpickled once in each process there."""

from __future__ import annotations

import pickle
import socket
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import cloudpickle

from skelmo.estimators.pickled_model import PickledModel
from skelmo.estimators.vectorizer import ElmoVectorizer
from skelmo.forks import Lock
from skelmo.pretrained.registry import BUNDLED
from skelmo.version import __version__

MOST_OPEN = 4  # parcels that a process keeps

_opened: OrderedDict[str, Any] = OrderedDict()
_lock = Lock(level=3)


@dataclass(frozen=True)
class Parcel:
    """Something pickled, that is unpickled once in each process.

    Engines move, copy and repeat what they carry as they like: it stays closed till
    somebody asks for what is in it.

    Parameters
    ----------
    content : bytes
        A pickle.
    digest : str
        Its SHA-256, hexadecimal.
    version : str
        Of skelmo, where it was pickled.
    """

    content: bytes
    digest: str
    version: str

    @classmethod
    def of(cls, thing: object) -> Parcel:
        """Pickle something.

        Parameters
        ----------
        thing : object
            Functions in it may be of a notebook.

        Returns
        -------
        Parcel
        """
        content = pickled(thing)
        return cls(content, sha256(content).hexdigest(), __version__)

    def open(self) -> Any:
        """Return what it holds, the same object at each call in a process.

        Returns
        -------
        thing : object

        Raises
        ------
        RuntimeError
            If skelmo has another version here.
        """
        if self.version != __version__:
            place = Path(__file__).parents[1]
            raise RuntimeError(
                f"skelmo must have one version everywhere, but the driver has "
                f"{self.version} and the worker on {socket.gethostname()} has "
                f"{__version__}, in {place}. Install {self.version} on all workers, or "
                f"the worker's version on the driver."
            )
        with _lock:
            if self.digest not in _opened:
                _opened[self.digest] = pickle.loads(self.content)
            _opened.move_to_end(self.digest)
            while len(_opened) > MOST_OPEN:
                _opened.popitem(last=False)
            return _opened[self.digest]


def pickled(thing: object) -> bytes:
    """Return a pickle that is complete on machines that have skelmo alone.

    Parameters
    ----------
    thing : object

    Returns
    -------
    content : bytes
        With weights that come from a path, unless they are of ``store_weights=False``.
    """
    file = BytesIO()
    _Pickler(file).dump(thing)
    return file.getvalue()


class _Pickler(cloudpickle.Pickler):
    """Hold weights that other machines may lack, and keep no cache in memory there."""

    def reducer_override(self, obj: Any) -> Any:
        """Return how an object is pickled, if it is not as usual."""
        if isinstance(obj, PickledModel) and obj.store_weights == "auto":
            if obj.source not in BUNDLED:
                obj = _changed(obj, {"store_weights": True})
                return obj.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        elif isinstance(obj, ElmoVectorizer) and obj.cache == "memory":
            obj = _changed(obj, {"cache": None})
            return obj.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        return super().reducer_override(obj)


def _changed(obj: Any, changes: dict[str, Any]) -> Any:
    other = object.__new__(type(obj))
    other.__dict__.update({**vars(obj), **changes})
    return other
