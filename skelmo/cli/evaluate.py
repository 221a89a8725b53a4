"""`skelmo evaluate`: how well a model predicts texts."""

from __future__ import annotations

import json

import numpy as np

from skelmo.cli.messages import tell
from skelmo.cli.options import EvaluateOptions
from skelmo.cli.skipped_rows import SkippedRows
from skelmo.cli.table_files import documents_in, table_of
from skelmo.cli.threads import limited_threads
from skelmo.estimators.language_model import ElmoLanguageModel
from skelmo.scoring.corpus import make_corpus
from skelmo.scoring.likelihood import (
    Perplexity,
    check_softmax,
    negative_log_likelihood,
)
from skelmo.text.sequences import index_documents


def run(options: EvaluateOptions) -> None:
    """Print the perplexity of a file.

    Parameters
    ----------
    options : EvaluateOptions
    """
    skipped = SkippedRows()
    table = table_of(options.input, options, skipped)
    model = ElmoLanguageModel.load(options.model, missing=options.missing)
    documents = documents_in(table, options.column, options.missing)
    with limited_threads(options.threads):
        check_softmax(model.model_, type(model).__name__, "give likelihoods")
        analyze = model.analyzer
        sequences = index_documents([] if d is None else analyze(d) for d in documents)
        corpus = make_corpus(sequences, model.model_.indexer)
        if not corpus.n_tokens:
            raise ValueError(f"{table.shown} holds no token. Give a file of texts.")
        which = np.arange(len(sequences.lengths))
        nll = negative_log_likelihood(model.network_, corpus, which).sum(axis=0)
    perplexity = Perplexity.of(nll, int((sequences.lengths - 1).sum()))
    found = {
        "documents": sequences.n_documents,
        "sequences": len(sequences.lengths),
        "tokens": corpus.n_tokens,
        "unknown_share": corpus.unknown_share,
        "perplexity_forward": perplexity.forward,
        "perplexity_backward": perplexity.backward,
        "perplexity": perplexity.mean,
    }
    skipped.report()
    if options.json:
        tell(json.dumps(found) + "\n")
        return
    tell(
        f"documents            {found['documents']:,}\n"
        f"tokens               {found['tokens']:,}\n"
        f"unknown              {corpus.unknown_share:.2%}\n"
        f"perplexity, forward  {perplexity.forward:.2f}\n"
        f"perplexity, backward {perplexity.backward:.2f}\n"
        f"perplexity, mean     {perplexity.mean:.2f}\n"
    )
