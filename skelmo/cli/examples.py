"""What the help of each command shows."""

from __future__ import annotations

EXAMPLES = {
    "train": """\
  skelmo train reviews.txt --out my-elmo
  skelmo train 2023.csv.gz 2024.csv.gz --column text --out my-elmo --max-time 60
  skelmo train forum.txt --init my-elmo --out forum-elmo --max-epochs 2
  skelmo train reviews.txt --out my-elmo --set l1=1e-6 --set "filters=[(1, 8)]"

Interrupted or killed, the same command goes on from the last checkpoint in
OUT.checkpoints; after --max-time too, if more time is given.""",
    "evaluate": """\
  skelmo evaluate my-elmo heldout.txt
  skelmo evaluate my-elmo heldout.parquet --column text --json""",
    "encode": """\
  skelmo encode reviews.csv --column text features.npy
  skelmo encode --model my-elmo reviews.csv --column text out.parquet --keep id stars
  zcat old.jsonl.gz | skelmo encode --model my-elmo - --format jsonl --column 2 out.csv
  skelmo encode --separator ";" --on-error skip export.csv --column text out.npy
  skelmo encode reviews.txt --tokens --layers top tokens.parquet
  skelmo encode reviews.txt - | gzip > features.csv.gz

Interrupted or killed, the same command goes on where it stopped (OUT.part), and the
file is that of a run that was not. If input, model or options have changed, it starts
anew. What comes from stdin starts anew, too.""",
    "convert": """\
  skelmo convert my-elmo my-elmo-small --dtype float16
  skelmo convert my-elmo for-allennlp --to allennlp
  skelmo convert elmo_2x1024_128 english
  skelmo convert 142.zip german""",
    "compare": """\
  skelmo compare reviews.csv --text text --label stars --out report.html
  skelmo compare reviews.csv --text text --label stars --representations tfidf \\
      --model my-elmo --cache compared""",
    "classify": """\
  skelmo classify reviews.csv --text text --label stars --test heldout.csv
  skelmo classify reviews.csv --text text --label stars --predict new.csv \\
      --out stars.csv --keep id
  skelmo classify reviews.csv --text text --label stars --test heldout.csv \\
      --head cnn --tune none --class-weight balanced --json

With --checkpoint DIR the same command goes on from there, interrupted or killed.""",
    "info": """\
  skelmo info my-elmo
  skelmo info my-elmo --json""",
    "inspect": """\
  skelmo inspect reviews.csv --column text
  skelmo inspect reviews.txt --model my-elmo""",
}
