"""What is checked when a store is opened: a stranger's store costs a sentence, never the machine.

`nodes` looks at metadata as bytes and JSON, before zarr does (`metadata`, `codecs`); `sizes`
compares the variables with each other and with what is stored; `attributes` and `coordinates` judge
what they say; `chunks` compares what a compressed chunk announces with what it must hold, before it
is decoded; `results` does the same for results. The bounds are in `bounds`; docs/store.md tells
them.
"""
