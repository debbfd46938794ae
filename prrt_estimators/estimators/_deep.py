"""What the estimators with a network share: from cohort to trained net and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from sklearn.base import TransformerMixin
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from prrt_estimators import _batches, _device, _net, _torch_state
from prrt_estimators._modalities import IMAGING
from prrt_estimators._validation import as_cohort, check_modalities
from prrt_estimators.cohort import Cohort
from prrt_estimators.estimators._base import BasePFSClassifier, BasePFSEstimator, class_weights
from prrt_estimators.estimators._by_modality import ByModalityMixin, branch_settings, check_by_modality
from prrt_estimators.estimators._class_prior import offset_of_weights
from prrt_estimators.estimators._saved_network import SavesNetworkMixin
from prrt_estimators.estimators._unknown_patients import check_finite, empty_rows, warn_of_nothing
from prrt_estimators.exceptions import MissingModalityError
from prrt_estimators.networks import AUGMENTATIONS, FusionNet, RandomAugment, build_encoder
from prrt_estimators.preprocessing import LabPreprocessor
from prrt_estimators.preprocessing._volumes import BoxInput, BoxReader
from prrt_estimators.pretrained._branches import BranchSettings, PretrainedBranch
from prrt_estimators.pretrained._prepare import find_branch, prepare_scans, pretrained_on, tell_of_overlap


class DeepPFSEstimator(ByModalityMixin, SavesNetworkMixin, TransformerMixin, BasePFSEstimator):
    """Base of the estimators that train a `FusionNet`, whatever their target; not to be used itself.

    Subclasses say which modalities they use, and have the parameters of `BRANCH_CONSTRAINTS`.
    """

    #: Width of the fully connected layer (models of before may have another); share that early stopping keeps aside.
    _head_width: int = 32
    _held_back: float = 0.2

    # What a subclass answers --------------------------------------------------------------------------------------

    def _wanted(self) -> Any:
        """Return "auto" or the modalities to use."""
        raise NotImplementedError  # pragma: no cover - both kinds define it

    def _joining(self) -> dict[str, Any]:
        """Return how the modalities are joined, as arguments of `FusionNet`."""
        return {}

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Train the network.

        Parameters
        ----------
        X : Cohort, mapping or array
            Raw patients: imputing, scaling, resampling and windowing happen inside, learnt from these rows only.
        y : array of shape (n,)
            1 for long PFS, 0 for short; or words such as "long" and "short", or any two labels with `pos_label`.
        sample_weight : array of shape (n,), default=None

        Returns
        -------
        self
        """
        self._validate_params()
        check_by_modality(vars(self), type(self).__name__)
        self.__dict__.pop("net_", None)
        X, y, weights = self._with_weight(X, y, sample_weight)
        cohort = self._cohort(X)
        names = ("lab",) if cohort is None else check_modalities(cohort, self._wanted(), estimator=type(self).__name__)
        if cohort is None and self._wanted() != "auto" and set(self._wanted()) != {"lab"}:
            raise MissingModalityError.of(type(self).__name__, self._wanted(), None)
        self.modalities_ = names
        table = None
        if "lab" in names:
            raw = self._training_table(X, cohort)
            self.preprocessor_ = LabPreprocessor(log=getattr(self, "log", "auto"))
            table = self.preprocessor_.fit_transform(raw)
            self._note_columns(self.preprocessor_)
        values = self._check_target(X if cohort is None else cohort, y)
        weights = self._patient_weights(values) * (1.0 if weights is None else weights)
        rng = check_random_state(self.random_state)
        self.pretrainers_: dict[str, Any] = {}
        self.branches_: dict[str, PretrainedBranch] = {}
        inputs: dict[str, _batches.ImagingInput] = {}
        if cohort is not None:
            self.pretrainers_ = self._fit_pretrainers(cohort, names, rng)
            self.branches_ = self._find_branches(names, self.pretrainers_)
            self._prepare(cohort, names, self.branches_, tell_padding=False)
            inputs = self._inputs(cohort)
        self.shapes_ = {name: tuple(one.shape) for name, one in inputs.items()}
        validation = self._validation_rows(values, rng)
        device = _device.resolve_device(self.device)
        dataset = self._dataset(cohort, table, self._target.columns(values, weights), hold=True)
        with _torch_state.training(int(rng.randint(2**31 - 1)), device):
            module = self._build(self.shapes_, 0 if table is None else table.shape[1], self._columns(dataset))
            module.learn_scales(dataset.inputs(np.flatnonzero(weights > 0)))
            self.net_ = _net.train(
                module,
                dataset,
                criterion=self._target.criterion,
                max_epochs=self.max_epochs,
                lr=self.lr,
                batch_size=self.batch_size,
                slower={
                    f"encoders.{name}.*": self.pretrained_lr_factor
                    for name, branch in self.branches_.items()
                    if branch.finetune != "frozen"
                },
                optimizer=self.optimizer,
                weight_decay=self.weight_decay,
                validation_rows=validation,
                patience=self.patience,
                device=device,
                autocast=_device.use_autocast(self.precision, device),
                verbose=int(self.verbose),
                callbacks=_net.checked_callbacks(getattr(self, "callbacks", None)),
            )
        self.n_epochs_ = len(self.net_.history)
        self.loss_curve_ = [float(loss) for loss in self.net_.history[:, "train_loss"]]
        self._n_features_out = module.fused_features
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the fused features that the fully connected layers see.

        Parameters
        ----------
        X : Cohort, mapping or array

        Returns
        -------
        ndarray of shape (n, n_features)
        """
        return self._run(X, "fuse")

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the fused features."""
        check_is_fitted(self)
        name = type(self).__name__.lower()
        return np.array([f"{name}{k}" for k in range(self._n_features_out)], dtype=object)

    def prepare(self, X: Any, progress: Callable[[int, int], None] | None = None, n_jobs: int | None = None) -> Any:
        """Check all scans of X, bring them into their boxes and compute frozen features, without training.

        Parameters
        ----------
        X : Cohort, mapping or array
        progress : callable, default=None
            Called with (patients done, patients in all).
        n_jobs : int, default=None
            Threads that read files.

        Returns
        -------
        self

        Raises
        ------
        CohortError
            With everything that is wrong with any scan.
        MissingModalityError
            If X lacks a modality that this estimator needs.
        PretrainedWeightsError
            If pretrained weights cannot be had or do not fit.
        """
        cohort = self._cohort(X)
        check_by_modality(vars(self), type(self).__name__)
        if cohort is not None:
            names = check_modalities(cohort, self._wanted(), estimator=type(self).__name__)
            branches = self._find_branches(names)
            self._prepare(cohort, names, branches, progress=progress, n_jobs=n_jobs)
        return self

    def _branch(self, name: str) -> BranchSettings:
        """Return what the parameters say of an imaging modality."""
        return branch_settings(vars(self), name)

    def _fit_pretrainers(self, cohort: Cohort, names: tuple[str, ...], rng: Any) -> dict[str, Any]:
        """Fit the pretrainers among the weights on these patients."""
        given = {name: self._branch(name).weights for name in names if name in IMAGING}
        return {
            name: pretrained_on(weights, cohort, name, rng, self.cache_dir, self.device)
            for name, weights in given.items()
            if hasattr(weights, "fit")
        }

    def _find_branches(
        self, names: tuple[str, ...], pretrainers: Mapping[str, Any] = MappingProxyType({})
    ) -> dict[str, PretrainedBranch]:
        """Return the branches with pretrained weights; one that waits for a pretrainer to be fitted is left out."""
        branches = {}
        for name in (one for one in names if one in IMAGING):
            settings = self._branch(name)
            if name in pretrainers:
                settings = settings._replace(weights=pretrainers[name].weights_)
            if settings.weights is not None and not hasattr(settings.weights, "fit"):
                branches[name] = find_branch(name, settings, self.size, self.spacing, self.cache_dir, self.precision)
        return branches

    def _prepare(
        self, cohort: Cohort, names: tuple[str, ...], branches: Mapping[str, PretrainedBranch], **options: Any
    ) -> None:
        prepare_scans(
            cohort,
            names,
            branches,
            size=self.size,
            spacing=self.spacing,
            cache_dir=self.cache_dir,
            device=_device.resolve_device(self.device),
            verbose=int(self.verbose),
            **options,
        )

    def _inputs(self, cohort: Cohort) -> dict[str, _batches.ImagingInput]:
        """Return what the network takes of each scan that the cohort has."""
        reader = BoxReader(cohort, size=self.size, spacing=self.spacing, cache_dir=self.cache_dir)
        return {
            name: self.branches_[name].reader(cohort, self.cache_dir)
            if name in self.branches_
            else BoxInput(reader, name)
            for name in self.modalities_
            if name in IMAGING and name in cohort
        }

    def _present(self, cohort: Cohort, name: str) -> np.ndarray:
        """Return which patients have a modality."""
        if name not in cohort:
            return np.zeros(len(cohort), dtype=bool)
        if name in IMAGING:
            return cohort[name].present
        if len(self.modalities_) == 1:
            return np.ones(len(cohort), dtype=bool)  # a table alone is imputed, whatever it lacks
        return ~cohort[name].isna().all(axis=1).to_numpy()

    def _dataset(
        self,
        cohort: Cohort | None,
        table: np.ndarray | None,
        target: Mapping[str, np.ndarray] | None = None,
        *,
        hold: bool = False,
    ) -> _batches.PatientDataset:
        """Return patients as inputs of the network, in the shapes that it was fitted on."""
        if cohort is None:
            assert table is not None
            present = np.ones((len(table), 1), dtype=bool)
            return _batches.PatientDataset({}, table, present, self.modalities_, {}, target, hold=hold)
        present = np.column_stack([self._present(cohort, name) for name in self.modalities_])
        inputs = self._inputs(cohort)
        return _batches.PatientDataset(inputs, table, present, self.modalities_, self.shapes_, target, hold=hold)

    def _columns(self, dataset: _batches.PatientDataset) -> dict[str, np.ndarray]:
        """Return the vectors of the training patients of each frozen branch."""
        columns = {}
        for name, branch in self.branches_.items():
            if branch.keeps == "vectors":
                rows = np.flatnonzero(dataset.present[:, self.modalities_.index(name)].numpy())
                columns[name] = dataset.__getitems__(rows.tolist())[0][name].numpy()
        return columns

    def _fill(self, table: int, state: Mapping[str, torch.Tensor]) -> None:
        """Build the network anew and fill in trained weights."""
        # What is drawn is replaced.
        with _torch_state.training(0):
            module = self._build(self.shapes_, table, {}, blank=True)
            module.load_state_dict(state)
        self.net_ = _net.wrap(module, criterion=self._target.criterion, batch_size=self.batch_size)

    def _build(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        lab_features: int,
        columns: Mapping[str, np.ndarray],
        *,
        blank: bool = False,
    ) -> FusionNet:
        encoders: dict[str, Any] = {}
        windows = {}
        for name in self.modalities_:
            if name not in IMAGING:
                continue
            settings = self._branch(name)
            windows[name] = settings.window
            if name in self.branches_:
                encoders[name] = self.branches_[name].build(shapes[name], columns.get(name), blank=blank)
                windows[name] = self.branches_[name].source.window
            else:
                encoders[name] = build_encoder(settings.encoder, settings.params, shapes[name][1:])
        return FusionNet(
            encoders,
            windows,
            lab_features=lab_features,
            embedding=self.embedding,
            hidden=self._head_width,
            dropout=self.dropout,
            augment=RandomAugment(**AUGMENTATIONS[self.augment]) if self.augment and encoders else None,
            **self._joining(),
        )

    def _run(self, X: Any, method: str) -> np.ndarray:
        check_is_fitted(self)
        cohort = self._cohort(X)
        if cohort is None and "lab" not in self.modalities_:
            raise MissingModalityError.of(type(self).__name__, self.modalities_, None)
        if cohort is not None and not set(self.modalities_) & set(cohort):
            raise MissingModalityError.of(type(self).__name__, self.modalities_, cohort.modalities)
        if cohort is None and len(self.modalities_) > 1:
            # A table alone: patients of whom nothing but laboratory values is known.
            cohort = as_cohort(self._table(X, None))
        table = None
        if "lab" in self.modalities_:
            if cohort is not None and "lab" not in cohort:
                table = np.zeros((len(cohort), len(self.preprocessor_.get_feature_names_out())))
            else:
                raw = self._table(X, cohort)
                table = self.preprocessor_.transform(raw)
        if cohort is not None:
            if not len(cohort):
                raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
            names = tuple(name for name in self.modalities_ if name in cohort)
            self._prepare(cohort, names, self.branches_, tell_padding=False)
            self._check_shapes(cohort, names)
            tell_of_overlap(self.branches_, cohort, names, self.pretrainers_, self.cache_dir)
        device = _device.resolve_device(self.device)
        dataset = self._dataset(cohort, table)
        ids = None if cohort is None else cohort.ids
        nothing = empty_rows(raw) if self.modalities_ == ("lab",) else ~np.asarray(dataset.present).any(axis=1)
        warn_of_nothing(nothing, ids, type(self).__name__)
        found = _net.infer(
            self.net_,
            dataset,
            method,
            batch_size=self.batch_size,
            device=device,
            autocast=_device.use_autocast(self.precision, device),
        )
        check_finite(found, ids)
        return found

    def _check_shapes(self, cohort: Cohort, names: tuple[str, ...]) -> None:
        for name in names:
            array = cohort[name].array if name in IMAGING else None
            branch = self.branches_.get(name)
            # What a branch takes from a grid of its own is of one shape whatever the volumes are.
            if array is None or not cohort[name].present.any() or (branch is not None and branch.source.own_grid):
                continue
            came = array.shape[1:] if branch is None else branch.reader(cohort, self.cache_dir).shape
            if came != self.shapes_[name]:
                of = "" if branch is None or branch.keeps == "volumes" else "volumes that give "
                raise ValueError(
                    f"{name} volumes of shape {array.shape[2:]} came, but this {type(self).__name__} was fitted on "
                    f"{of}{self.shapes_[name][1:]}; bring them to one grid."
                )

    def _patient_weights(self, values: np.ndarray) -> np.ndarray:
        """Return the weights of patients that follow from the target itself."""
        return np.ones(len(values))

    def _validation_rows(self, values: np.ndarray, rng: Any) -> np.ndarray | None:
        if not self.early_stopping:
            return None
        encoded = self._target.strata(values)
        held = max(2, round(self._held_back * len(encoded)))
        if np.bincount(encoded).min() < 2 or len(encoded) - held < 2:
            counts = np.bincount(encoded).tolist()
            raise ValueError(f"early_stopping needs 2 patients of each class; got {counts}. Pass early_stopping=False.")
        splitter = StratifiedShuffleSplit(n_splits=1, test_size=held, random_state=rng.randint(2**31 - 1))
        return next(splitter.split(encoded, encoded))[1]


class DeepPFSClassifier(DeepPFSEstimator, BasePFSClassifier):
    """Base of the classifiers that train a `FusionNet`; not to be used itself."""

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return class probabilities.

        Parameters
        ----------
        X : Cohort, mapping or array
            As for `fit`; a patient may lack any of the modalities.

        Returns
        -------
        ndarray of shape (n, 2)
            Columns in the order of `classes_`: the second is long PFS where y was 0 and 1.
        """
        return self._ordered(self._calibrated(self._target.output(self._run(X, "forward"))))

    def _explained(self, logits: torch.Tensor, output: str, horizon: float) -> torch.Tensor:
        return logits  # of long PFS, before what class weights add is undone

    def _patient_weights(self, values: np.ndarray) -> np.ndarray:
        weights = class_weights(self.class_weight, values, self._inside_classes())
        self.offset_ = offset_of_weights({code: float(weights[values == code][0]) for code in (0, 1)})  # of the loss
        return weights
