"""The rows and columns of ``python -m benchmarks cardiac|abdomen``: edit the table here.

A row is given by its last stage. What that stage starts from (an encoder, coarse models) are its ``inputs``. A stage
that several rows share is trained once.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.few_labels.types import IMAGE_IDS, FewLabelsRow, Stage, Study

DRAWS = (0, 1, 2)
PSEUDO_LABELED_FRACTIONS = (0.4, 0.6, 0.8, 0.8, 0.8, 0.8)  # of the unlabeled volumes, by round of self-training

# From random weights.
WEAK = Stage("weak-augmentation", ("weak_augmentation",))
STRONG = Stage("strong-augmentation")
LONG = Stage("strong-augmentation-long", iteration_factor=7)
LONGER = Stage(
    "strong-augmentation-longer", iteration_factor=13
)  # as long as self-training and its first training together
NNUNET = Stage("nnunet-like", ("nnunet_like",), inference=("nnunet_like_inference",))
CROSS_PSEUDO = Stage("cross-pseudo", ("fine_tune_cross_pseudo",))
BIDIRECTIONAL = Stage("bidirectional", ("fine_tune_bidirectional",))

# Encoders from unlabeled images.
GLOBAL_ENCODER = Stage("pretrain-global", ("pretrain_global",), artifact="encoder.pt", labeled=False)
LRC_ENCODER = Stage("pretrain-lrc", ("pretrain_lrc",), artifact="encoder.pt", labeled=False)
SUPERVISED_ENCODER = replace(STRONG, artifact="encoder.pt")  # from the labels that the column has
SUPERVISED_LRC_ENCODER = Stage(
    "pretrain-lrc-on-supervised", ("pretrain_lrc",), artifact="encoder.pt", inputs={"pretrained": SUPERVISED_ENCODER}
)
# This is no method, as it has the labels of all patients. It estimates what a good encoder could gain in a column.
ALL_LABELS_ENCODER = replace(STRONG, name="pretrain-all-labels", artifact="encoder.pt", labeled=False)
IDEAL_ENCODER = Stage("pretrain-ideal", ("pretrain_ideal",), artifact="encoder.pt", labeled=False)
S3NET_ENCODER = Stage("pretrain-s3net", ("pretrain_s3net",), artifact="encoder.pt", labeled=False)

GLOBAL = Stage("global", inputs={"pretrained": GLOBAL_ENCODER})
LRC = Stage("lrc", inputs={"pretrained": LRC_ENCODER})
LRC_ON_SUPERVISED = Stage("lrc-on-supervised", inputs={"pretrained": SUPERVISED_LRC_ENCODER})
SUPERVISED = Stage("supervised", inputs={"pretrained": SUPERVISED_ENCODER})
ALL_LABELS = Stage("all-labels", inputs={"pretrained": ALL_LABELS_ENCODER})
DENSE = Stage("dense", inputs={"pretrained": IDEAL_ENCODER})
IDEAL = Stage("ideal", ("fine_tune_bidirectional",), inputs={"pretrained": IDEAL_ENCODER})

# Pre-training by S3-Net: its encoder, and its clusters as the coarse masks of semantic-aware contrast.
S3NET_BIDIRECTIONAL = Stage("ours", ("fine_tune_bidirectional",), inputs={"pretrained": S3NET_ENCODER})
S3NET_CLUSTERS = replace(S3NET_ENCODER, artifact="pretraining.pt")
CLUSTERED_ENCODER = Stage(
    "pretrain-semantic-label-free",
    ("pretrain_semantic", "pretrain_semantic_label_free"),
    artifact="encoder.pt",
    labeled=False,
    inputs={"clusters_model": S3NET_CLUSTERS},
)


def self_training(fractions: tuple[float, ...]) -> Stage:
    """Return self-training, one round per fraction of the unlabeled volumes.

    Each round is trained on pseudo-labels of the volumes that the round before it segments most consistently. The first
    round takes them from the long training.
    """
    stage = LONG
    for number, fraction in enumerate(fractions, 1):
        stage = Stage(
            f"self-train-{number}", ("self_train",), overrides={"fraction": fraction}, inputs={"teacher": stage}
        )
    return stage


# Coarse masks come from the coarse model; those of labeled patients from models that were trained without their labels.
FOLDS = tuple(
    Stage(f"fold-{fold}", ("fold",), overrides={"fold": fold, "folds": 2, "iterations": 500}, min_patients=2)
    for fold in range(2)
)
COARSE: dict[str, Stage | tuple[Stage, ...]] = {"coarse_model": STRONG, "coarse_models": FOLDS}


def semantic(name: str, *, mask_only: bool = False, encoder: Stage | None = None) -> Stage:
    """Return the stages of semantic-aware contrast.

    The encoder is pre-trained on image and mask, and the network is then fine-tuned on the same input.

    Args:
        name: name of the second stage.
        mask_only: whether the image is hidden.
        encoder: first stage; None trains one on the masks of the coarse models.
    """
    overrides = {"mask_only": mask_only}
    if encoder is None:
        encoder = Stage(
            f"pretrain-{name}", ("pretrain_semantic",), overrides=overrides, artifact="encoder.pt", inputs=COARSE
        )
    return Stage(
        name,
        ("fine_tune_semantic",),
        overrides=overrides,
        inputs={"pretrained": encoder, **COARSE},
        inference=("inference_semantic",),
        inference_ids={**IMAGE_IDS, "encoder_def#channels": "encoder_def#channels", "mask_only": "mask_only"},
    )


REFERENCE = "scratch, strong augmentation"
OURS_NAME = "self-training by consistency"
REFERENCES = (REFERENCE, OURS_NAME)  # all other rows are compared with these
ROWS = (
    FewLabelsRow("scratch, weak augmentation", "from scratch", WEAK),
    FewLabelsRow(REFERENCE, "from scratch", STRONG),
    FewLabelsRow("scratch, seven times as long", "from scratch", LONG),
    FewLabelsRow("scratch, thirteen times as long", "from scratch", LONGER),
    FewLabelsRow("nnU-Net-like", "from scratch", NNUNET),
    FewLabelsRow("cross pseudo supervision", "two decoders", CROSS_PSEUDO),
    FewLabelsRow("global contrast", "pre-trained", GLOBAL),
    FewLabelsRow("semantic-aware", "pre-trained", semantic("semantic")),
    FewLabelsRow("LRC", "pre-trained", LRC),
    FewLabelsRow("IDEAL", "pre-trained", IDEAL),
    FewLabelsRow(OURS_NAME, "ours", self_training(PSEUDO_LABELED_FRACTIONS)),
    FewLabelsRow("S3-Net's consistency, then bidirectional", "ours", S3NET_BIDIRECTIONAL),
    FewLabelsRow(
        "semantic-aware on S3-Net's masks", "ours", semantic("semantic-label-free", encoder=CLUSTERED_ENCODER)
    ),
    FewLabelsRow("semantic-aware, mask only", "ablation", semantic("semantic-mask-only", mask_only=True)),
    FewLabelsRow("dense contrast alone", "ablation", DENSE),
    FewLabelsRow("bidirectional alone", "ablation", BIDIRECTIONAL),
    FewLabelsRow("LRC on a supervised encoder", "ablation", LRC_ON_SUPERVISED),
    FewLabelsRow("a supervised encoder alone", "ablation", SUPERVISED),
    FewLabelsRow("encoder of all labels", "ablation", ALL_LABELS),
)

STUDIES = {
    "cardiac": Study(
        task="cardiac",
        bundle="cardiac_mr_segmentation",
        dataset="acdc",
        source="cardiac/acdc",
        columns=(1, 2, 8, None),
        structures={1: "RV", 2: "MYO", 3: "LV"},
        unit="patient",
        published={"IDEAL's paper, its own split": {1: 0.738, 2: 0.846, 8: 0.879, None: 0.882}},
        notes=(
            "ACDC: patients 001-070 are for training, and those not drawn as labeled serve as unlabeled images; both "
            "frames of patients 071-080 are for this table. The files store no spacing, so distances are in voxels "
            "with sides of unequal length. In the files used, patients 074 and 076 have the same images, so there are "
            "nine hearts, one of which counts twice.",
        ),
    ),
    "abdomen": Study(
        task="abdomen",
        bundle="abdominal_ct_slices_segmentation",
        dataset="curvas",
        source="abdomen/curvas",
        columns=(1, 2, 5),
        structures={1: "pancreas", 2: "kidney", 3: "liver"},
        unit="slice",
        overrides={"iterations": 500},
        notes=(
            "CURVAS: slices of cases 10001-10005 are for training, slices of 10006 and 10007 for this table. Two cases "
            "allow no interval over patients: intervals and tests are over slices, and say nothing about other "
            "patients.",
            "In a slice without a structure its Dice is 1 if the mask does not have it either, and 0 otherwise.",
            "With five labeled cases no case is unlabeled, and draws differ by their random numbers alone.",
        ),
    ),
}
