"""What the outcome of each check means."""

DAMAGED = (
    "The file {key}{more}: {why}. It holds {holds}. Nothing that needs it can be computed. Mark "
    "what is damaged as not recorded, and keep all else, with: {command}"
)

CHANGED = (
    "Not as when the store was created: {names}. Codes are misread. Restore the store from a copy, "
    "or delete the folder checksums if the change is meant."
)

UNREAD = "a file of the recording is damaged: see the check of the files"

NO_CHECKSUMS = (
    "The store has no checksums: it is of an earlier version of ibtools, or a copy. That no file "
    "is missing was looked at; whether bytes were changed can't be told."
)

LAYERS = (
    "A layer has a name that is empty or that another has, no units or more than the cube, bits "
    "that its codes can't have (1 to 16, as wide as they are stored), or 32 bits without values. "
    "The store was changed since it was recorded, or written by something else: set names, n_units "
    "and bits right, or record again."
)

LABELS = (
    "Classes count from 0, and a sample has a negative one. The labels were changed since the "
    "recording: set them right."
)

CLASSES = (
    "No sample is of some class below the largest, as in a selection of samples. Information is "
    "that of the classes that there are."
)

UNNAMED = (
    "The root attribute `classes` names fewer classes than there are labels: the labels were "
    "changed, and the names are those of others. Delete the attribute, or name all classes."
)

SPLITS = (
    "A sample is of neither train nor test: it counts among all samples, but in no split. Set the "
    "split of the samples right."
)

EPOCHS = (
    "Epochs must ascend, recorded and trained ones, and the phase must be prefit below epoch 0 and "
    "training from there on. Curves and dynamics take them in their order: sort the store, or set "
    "them right."
)

SAME_SEED = (
    "Repeats have the seed of another: they are the same training, and counting it twice makes "
    "every interval too short. Were two copies of one store joined? Leave one of them out."
)

SAME_NUMBER = (
    "Repeats have the number of another, as after joining two stores. They are analysed by their "
    "places, but can't be told apart by number: number them anew (assign_coords(repeat=...))."
)

OUTCOMES = (
    "An outcome is none of pending, trained and failed, or failed attempts are negative. Means "
    "choose repeats by their outcome: set it right."
)

UNDECIDED = (
    "All snapshots of a repeat are on disk, but its outcome is pending: the recording ended just "
    "before it was written, or it was changed since. To go on: {how}."
)

HISTORY = (
    "An accuracy is not from 0 to 1, or a loss is negative: no recorder writes that. The history "
    "was changed or damaged since."
)

UNMEASURED = (
    "Nothing that was recorded was looked at, since layers or labels are not what they must be: "
    "that comes first."
)

PADDING = (
    "There are values beyond the units that a layer has, where a store keeps nothing: n_units is "
    "too small, so that units are not counted, or the cube was changed since."
)

LOST = (
    "Snapshots of repeats that count as trained are not on disk, or not marked as complete. The "
    "outcome of a repeat is set after its last snapshot, so the store was changed or damaged "
    "since; figures would leave these epochs out. Record again."
)

PENDING = "The recording is not finished. To go on: {how}."

TRAININGS = (
    "A training did not reach the required accuracy and was begun anew from another seed, or all "
    "attempts failed; no mean counts repeats that failed. What is shown is information given that "
    "a training succeeds: report these numbers with it."
)

RECOMPUTING_NOT_RECORDED = (
    "The store does not say whether a snapshot that is computed twice has the same codes: it is of "
    "an older recorder, of a loop of one's own, or of arrays."
)

NONE_RECOMPUTED = "No snapshot was computed twice."

CODES_DIFFER = (
    "A snapshot that was computed twice, with the samples in other batches, had other codes. Then "
    "a state is not a function of the input alone: I(X;T) = H(T) does not hold, and the codes say "
    "something about the batches. One range per snapshot and a deterministic forward pass prevent "
    "it; look for layers that use statistics of the batch."
)

VALUES_DIFFER = (
    "A snapshot that was computed twice, with the samples in other batches, had other float "
    "values, if only in the last bit: a float32 sum depends on its order, and the order on the "
    "batch. A state that is told apart by its last bit is no state of the network, and counting "
    "bit patterns (exact) counts rounding. Quantise the network, or use an estimator with a stated "
    "resolution."
)

INPUTS_NOT_RECORDED = (
    "The store does not say which inputs are equal: it is of an older recorder, or of arrays "
    "without x=. Every sample counts as an input of its own."
)

INPUTS_SPLIT = (
    "Samples with equal inputs are in different states of a layer, so that a state is not a "
    "function of the input alone and I(X;T) = H(T) does not hold. Either the forward pass is not "
    "deterministic (dropout, statistics of the batch, float sums in another order), or the inputs "
    "that were given are not those of these samples."
)

LABELS_DIFFER = (
    "Equal inputs have different labels. No layer can know more of the label than the input does: "
    "I(T;Y) is at most I(X;Y), which is less than H(Y)."
)

CONSTANT = (
    "A layer has one state for all inputs, so exactly 0 bits: all its units are dead or saturated "
    "there, and what comes after it knows nothing. A mean over repeats that includes it mixes two "
    "kinds of networks."
)

SATURATED = "By these results, {what}. To see it, {advice}."

PARTITION_ONLY = "The store keeps the partition of each layer only, without codes or values."

NOT_QUANTISED = "No layer is quantised."

ALL_QUANTISED = "All layers are quantised: there are no float values."

NO_SNAPSHOT = "There is no complete snapshot to check."

CODES = (
    "There are codes that the layer's bits cannot make: the number of bits in the store is wrong, "
    "or the codes were damaged. No entropy of them can be trusted."
)

SCALE = (
    "The step of a grid is not a positive number, so that codes do not stand for values. Exact "
    "information does not need the values; everything else does."
)

ZERO_POINT = (
    "A grid has no code for the value 0, which quantisers of ONNX, TFLite and TensorFlow always "
    "have: scale and zero point are probably not those of these codes."
)

ENDS = (
    "At least half of the values of a layer are at its smallest or largest code (code 0 is left "
    "out where it stands for 0, at which a ReLU rests). Units there are saturated: the function or "
    "its grid merges what lies beyond, and a fall of I(X;T) may be that and no more."
)

VALUES = (
    "There are values that are not a number, which equal nothing and are in no state: the training "
    "diverged, or the store was damaged."
)

RANGE = (
    "The smallest or largest value of a layer is not the one that is stored beside it: codes, grid "
    "or range were changed since the recording. Estimators take their bins from the stored range, "
    "so binned results are of wrong bins."
)

ONE_LAYER = "There is one layer only."

NO_CHAIN = (
    "The store does not say that each layer is computed from the one before it alone (by its "
    "attribute `layers`, chain), so this is no violation: with a connection that skips a layer it "
    "is as it should be. If there is none, check again with --chain (chain=True)."
)

STATES = (
    "Inputs that share a state of a layer are in different states of the next one: H(next | layer) "
    "should be 0 bits. "
)

STATES_BROKEN = (
    "Either the next layer sees more than is recorded of this one, or what is computed for a "
    "sample depends on the other samples of its batch or on its place there. The recorded states "
    "are then not those that the network works with, and their information is not exact."
)

NO_RESULTS = "There are no results yet. Compute them with: {command}"

OUTDATED = (
    "The results are out of date: {why}. Nothing shows them until they are computed anew. Do that "
    "with: {command}"
)

DAMAGED_RESULTS = (
    "Results are not those that were written: their files were lost, cut or changed, or another "
    "analysis died while it wrote. Nothing shows them. Compute them anew with: {command}"
)

NO_CHECKSUMS = (
    "Results of a version of ibtools that kept no checksums get them with the next analysis."
)

MARKED = (
    "Results of a version of ibtools without checksums are marked as analysed but are not there: "
    "their files were lost or cut, or changed since. The next analysis computes them anew."
)

NOT_ANALYSED = (
    "Complete snapshots have no results of this estimator yet. Compute them with ibtools analyze."
)

RECOUNT = (
    "The results are not what counting the states again gives: they were computed from another "
    "recording, or store or results were changed since. Delete the results and analyse again."
)

NOT_RECOUNTED = (
    "They were computed of codes or values, and the store keeps the partition of each layer only."
)

POPULATION = (
    "Estimates for a population have errors of their own, by which they may break the laws."
)

BOUNDS = (
    "The results break 0 <= I(T;Y) <= min(H(T), H(Y)) or H(T) <= H(X), which holds for whatever is "
    "counted: they are wrong, or of an estimator whose error is larger than what it measures."
)

RISES = (
    "The numbers rise from one layer to the next, but no layer can know more than the one it is "
    "computed from. "
)

RESOLUTIONS = (
    "The numbers fall from a resolution to a finer one, but the coarser states are a function of "
    "the finer. The results are wrong: delete them, and analyse again."
)

EXACT_RISES = (
    "This estimator counts the layer itself, so the results are wrong, or the recorded states are "
    "not those that the network works with: see data processing of the recording."
)

ESTIMATE_RISES = (
    "This estimator does not count the layer but estimates from distances between samples, with an "
    "error that grows with the number of units: it misses more of what a wide layer knows. So the "
    "rise is of the error, and layers can't be compared by these numbers."
)

COPY_RISES = (
    "What was measured is not the layer but a coarser or noisier copy of it, from which the next "
    "layer is not computed. So these numbers are not the information of the network: they say how "
    "its values fall into these bins (or under this noise), and where they rise or fall over the "
    "epochs, the information need not. Count a quantised network with exact, or call these numbers "
    "what they are."
)
