import numpy as np
import pytest
import torch
from reference_elmo import elmo_layers, random_model

from skelmo.encoding.encoder import Encoder
from skelmo.text.sequences import index_documents
