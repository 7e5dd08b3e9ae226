"""The rows and columns of ``python -m benchmarks cardiac|abdomen``: edit the table here.

A row is its last stage; what that stage takes from others (an encoder, coarse models) are its ``inputs``. A stage of
several rows is trained once.
"""

from __future__ import annotations

from dataclasses import replace

from benchmarks.few_labels.types import PICTURE_IDS, FewLabelsRow, Stage, Study

DRAWS = (0, 1, 2)
SHARES = (0.4, 0.6, 0.8, 0.8, 0.8, 0.8)  # of the unlabeled volumes, by round of self-training

# From random weights.
WEAK = Stage("weak-augmentation", ("weak_augmentation",))
STRONG = Stage("strong-augmentation")
LONG = Stage("strong-augmentation-long", times=7)
LONGER = Stage("strong-augmentation-longer", times=13)  # as long as self-training with the training it begins with
NNUNET = Stage("nnunet-like", ("nnunet_like",), inference=("nnunet_like_inference",))
CROSS_PSEUDO = Stage("cross-pseudo", ("fine_tune_cross_pseudo",))
BIDIRECTIONAL = Stage("bidirectional", ("fine_tune_bidirectional",))

# Encoders from unlabeled images.
GLOBAL_ENCODER = Stage("pretrain-global", ("pretrain_global",), product="encoder.pt", labeled=False)
LRC_ENCODER = Stage("pretrain-lrc", ("pretrain_lrc",), product="encoder.pt", labeled=False)
SUPERVISED_ENCODER = replace(STRONG, product="encoder.pt")  # from the labels that the column has
SUPERVISED_LRC_ENCODER = Stage(
    "pretrain-lrc-on-supervised", ("pretrain_lrc",), product="encoder.pt", inputs={"pretrained": SUPERVISED_ENCODER}
)
# No method, as it has the labels of all patients: an idea of what a good encoder could bring to the few of a column.
ALL_LABELS_ENCODER = replace(STRONG, name="pretrain-all-labels", product="encoder.pt", labeled=False)
IDEAL_ENCODER = Stage("pretrain-ideal", ("pretrain_ideal",), product="encoder.pt", labeled=False)
S3NET_ENCODER = Stage("pretrain-s3net", ("pretrain_s3net",), product="encoder.pt", labeled=False)

GLOBAL = Stage("global", inputs={"pretrained": GLOBAL_ENCODER})
LRC = Stage("lrc", inputs={"pretrained": LRC_ENCODER})
LRC_ON_SUPERVISED = Stage("lrc-on-supervised", inputs={"pretrained": SUPERVISED_LRC_ENCODER})
SUPERVISED = Stage("supervised", inputs={"pretrained": SUPERVISED_ENCODER})
ALL_LABELS = Stage("all-labels", inputs={"pretrained": ALL_LABELS_ENCODER})
DENSE = Stage("dense", inputs={"pretrained": IDEAL_ENCODER})
IDEAL = Stage("ideal", ("fine_tune_bidirectional",), inputs={"pretrained": IDEAL_ENCODER})

# S3-Net as a source: its encoder, and its clusters as the masks of semantic-aware contrast.
S3NET_BIDIRECTIONAL = Stage("ours", ("fine_tune_bidirectional",), inputs={"pretrained": S3NET_ENCODER})
S3NET_CLUSTERS = replace(S3NET_ENCODER, product="pretraining.pt")
CLUSTERED_ENCODER = Stage(
    "pretrain-semantic-label-free",
    ("pretrain_semantic", "pretrain_semantic_label_free"),
    product="encoder.pt",
    labeled=False,
    inputs={"clusters_model": S3NET_CLUSTERS},
)


def self_training(shares: tuple[float, ...]) -> Stage:
    """One training a share: each learns from the volumes that the one before it, the long one at first, is most
    consistent about."""
    stage = LONG
    for number, share in enumerate(shares, 1):
        stage = Stage(f"self-train-{number}", ("self_train",), {"share": share}, inputs={"teacher": stage})
    return stage


# Attention masks come from the coarse model; those of labeled patients from models that have not seen their labels.
FOLDS = tuple(
    Stage(f"fold-{fold}", ("fold",), {"fold": fold, "folds": 2, "iterations": 500}, least_patients=2)
    for fold in range(2)
)
COARSE: dict[str, Stage | tuple[Stage, ...]] = {"coarse_model": STRONG, "coarse_models": FOLDS}


def semantic(name: str, mask_only: bool = False, encoder: Stage | None = None) -> Stage:
    """Both stages of semantic-aware contrast: the encoder on image and mask, then the network on the same input."""
    hide = {"mask_only": mask_only}
    if encoder is None:
        encoder = Stage(f"pretrain-{name}", ("pretrain_semantic",), hide, product="encoder.pt", inputs=COARSE)
    return Stage(
        name,
        ("fine_tune_semantic",),
        hide,
        inputs={"pretrained": encoder, **COARSE},
        inference=("inference_semantic",),
        inference_ids={**PICTURE_IDS, "encoder_def#channels": "encoder_def#channels", "mask_only": "mask_only"},
    )


REFERENCE = "scratch, strong augmentation"
OURS_NAME = "self-training by consistency"
REFERENCES = (REFERENCE, OURS_NAME)  # what all other rows are compared with
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
    FewLabelsRow(OURS_NAME, "ours", self_training(SHARES)),
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
            "ACDC: patients 001-070 for training, those without a drawn label as unlabeled images; 071-080 for this "
            "table, both frames. No spacing is stored, so distances are in voxels of unequal sides. In the files used, "
            "patients 074 and 076 hold the same images: nine hearts, one of them counted twice.",
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
            "CURVAS: slices of cases 10001-10005 for training, of 10006 and 10007 for this table. With two cases there "
            "is no interval over patients: intervals and tests are over slices, and say nothing about other patients.",
            "A slice that lacks a structure counts as Dice 1 where the mask lacks it, too, else as 0.",
            "With five labeled cases none is without labels, and draws differ by their random numbers alone.",
        ),
    ),
}
