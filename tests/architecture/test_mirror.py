"""Tests mirror the source: each module has a test file of its name, or a row here that says what covers it and why."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

import rankelastor

SOURCE = Path(rankelastor.__file__).parent
TESTS = Path(__file__).parents[1]

SETTINGS = "settings without code of their own; their ranges and messages are tested where they are read"
VERB = "a verb of the command line, tested by calling it"
STEP = "a step of a pipeline, tested by the pipeline's results"

COVERED: dict[str, tuple[str, str]] = {
    "backtesting/backtest_folder.py": ("backtesting/test_backtest.py", "folders that go on, and those of others"),
    "backtesting/days.py": ("backtesting/test_day_files.py", "columns that hold days and columns that do not"),
    "backtesting/page.py": ("backtesting/test_backtest.py", "the table and the page of a backtest"),
    "backtesting/record.py": ("backtesting/test_backtest.py", "figures as JSON and CSV"),
    "identified_folder.py": ("tuning/test_tune.py", "folders that go on, those of others, damaged and held ones"),
    "sharding/table_parts.py": ("sharding/test_checkpoint.py", "parts that are written and read there"),
    "sharding/quiet.py": ("sharding/test_tables.py", "what libraries say is left out"),
    "studies/work/run_data.py": ("studies/work/test_run_study.py", STEP),
    "data/building/file_stage.py": ("data/building/test_executors.py", STEP),
    "data/building/ray_executor.py": ("data/building/test_executors.py", "clusters, workers that die, mistakes"),
    "remote/connections.py": ("remote/test_failures.py", "servers that answer, deny and are not there"),
    "collectives/differentiable.py": ("training/distributed/test_same_result.py", "statistics of layers over ranks"),
    "collectives/joining.py": ("integration/test_several_processes.py", "processes that join, tested by starting them"),
    "collectives/processes.py": ("collectives/test_process_group.py", "what processes exchange"),
    "nn/shared_statistics.py": ("training/distributed/test_same_result.py", "layers that couple examples, over ranks"),
    "training/carried_rows.py": ("training/test_carried_state.py", "rows of rankers that go on from others"),
    "training/distributed/agreement.py": ("training/distributed/test_whole_runs.py", "processes that do not agree"),
    "training/distributed/exchanged.py": ("training/distributed/test_whole_runs.py", "figures in a result"),
    "training/distributed/final_scores.py": ("training/distributed/test_whole_runs.py", "the test split of runs there"),
    "training/distributed/follow.py": ("training/distributed/test_whole_runs.py", "all ranks there but the first"),
    "training/distributed/gradients.py": ("training/distributed/test_same_result.py", "the steps of several ranks"),
    "training/distributed/objective.py": ("training/distributed/test_same_result.py", "losses of several ranks"),
    "training/distributed/scoring.py": ("training/distributed/test_whole_runs.py", "evaluations by several ranks"),
    "training/distributed/sharing.py": ("training/distributed/test_same_result.py", "trainings by one and by several"),
    "training/distributed/state.py": ("training/distributed/test_whole_runs.py", "runs that go on by several ranks"),
    "training/distributed/protocol_differences.py": ("sharding/test_tables.py", "the result of a run there"),
    "training/distributed/sharded_checkpoints.py": ("sharding/test_tables.py", "runs that are stopped and go on"),
    "training/distributed/sharded_rows.py": ("sharding/test_tables.py", "the losses of two processes"),
    "training/distributed/sharded_state.py": ("sharding/test_tables.py", "weights and checkpoints of two processes"),
    "training/distributed/sharded_tables.py": ("sharding/test_tables.py", "trainings of two processes"),
    "training/distributed/stopping_together.py": ("training/distributed/test_whole_runs.py", "ranks that are stopped"),
    "zip_damage.py": ("data/published/test_unpack.py", "zips damaged in each compression"),
    "config/averaged_weights.py": ("optimisers/test_averaged_weights.py", SETTINGS),
    "training/stepper_of.py": ("training/distributed/test_same_result.py", "the steps of every training"),
    "training/updates.py": ("training/test_step.py", "every rule of the steps there"),
    "cli/serve.py": ("service/test_run.py", VERB),
    "cli/explain.py": ("explanations/test_importance.py", VERB),
    "explanations/columns.py": ("explanations/test_importance.py", "the columns that are permuted"),
    "explanations/contributions.py": ("explanations/test_importance.py", "what moved a row"),
    "explanations/labelled_batch.py": ("explanations/test_importance.py", "the rows that are explained"),
    "explanations/plot.py": ("explanations/test_importance.py", "the page that the verb draws"),
    "explanations/row.py": ("explanations/test_importance.py", "one row of a table, explained"),
    "cli/export.py": ("cli/test_any_terminal.py", VERB),
    "export/encoding.py": ("export/test_reference_encoder.py", "the encoding that is read there"),
    "export/formats.py": ("export/test_graph.py", "files of the formats, written and scored"),
    "export/graph_inputs.py": ("export/test_graph.py", "the inputs and the made rows of the graphs there"),
    "export/native_package.py": ("export/test_export_run.py", "native code, and a machine without a compiler"),
    "export/onnx_file.py": ("export/test_graph.py", "ONNX files, with weights inside and beside"),
    "export/readme.py": ("export/test_export_run.py", "the code in it is run"),
    "export/torch_program.py": ("export/test_graph.py", "programs of every model"),
    "service/batcher.py": ("service/test_app.py", "concurrent requests, limits, and the end of a service"),
    "service/columns.py": ("service/test_app.py", "rows of requests, also of mixed types"),
    "service/limits.py": ("service/test_run.py", SETTINGS),
    "service/model.py": ("service/test_app.py", "what the paths of a service answer"),
    "service/answers.py": ("service/test_app.py", "what the paths that score answer"),
    "service/front.py": ("service/test_app.py", "tokens, bodies and refusals"),
    "service/pages.py": ("service/test_page_in_a_browser.py", "the page, opened in a browser"),
    "service/refusals.py": ("service/test_app.py", "the errors that are answered"),
    "service/request_types.py": ("service/test_app.py", "bodies, right and wrong"),
    "service/store.py": ("service/test_app.py", "bundles that are swapped in and refused"),
    "service/telemetry.py": ("service/test_app.py", "the counts that Prometheus reads"),
    "cli/compare.py": ("studies/comparing/test_compare.py", VERB),
    "estimators/field_table.py": ("estimators/test_click_ranker.py", "the fields that the estimator shows"),
    "estimators/fitted.py": ("estimators/test_click_ranker.py", "what is evaluated, saved, loaded and copied there"),
    "estimators/training.py": ("estimators/test_click_ranker.py", "every fit there"),
    "estimators/plan.py": ("estimators/test_click_ranker.py", "the recipe of the estimator"),
    "estimators/rows.py": ("estimators/test_click_ranker.py", "labels, weights and groups, beside the table and in it"),
    "estimators/stored.py": ("estimators/test_click_ranker.py", "what is saved and loaded there"),
    "estimators/tables.py": ("estimators/test_click_ranker.py", "tables of all libraries, and wrong ones"),
    "html_table.py": ("estimators/test_click_ranker.py", "what notebooks see"),
    "bundles/card.py": ("bundles/test_make.py", "the card in the bundles that are made there"),
    "bundles/examples.py": ("bundles/test_verify.py", "the rows that are scored again there"),
    "bundles/findings.py": ("bundles/test_make.py", "what the card tells of intervals and spectrum"),
    "bundles/staging.py": ("bundles/test_make.py", "what is copied, with hashed vocabularies and without"),
    "runs/bundle_file/example_rows.py": ("bundles/test_verify.py", "rows that would fill the memory there"),
    "runs/bundle_file/index.py": ("runs/bundle_file/test_archive.py", "the index of the archives there"),
    "runs/bundle_file/unpacked.py": ("runs/bundle_file/test_archive.py", "the archives there are unpacked"),
    "spectrum/runs/measured_rows.py": ("bundles/test_make.py", "rows of a bundle, of a split, and of a file"),
    "cli/console.py": ("cli/test_any_terminal.py", "the one console, whose output verbs' tests read"),
    "alarms/facts.py": ("alarms/test_table.py", "the facts that rules judge"),
    "alarms/rows.py": ("alarms/test_table.py", "all rules are tested by the table"),
    "alarms/scores.py": ("alarms/test_table.py", "all rules are tested by the table"),
    "baseline/design.py": ("baseline/test_linear.py", "the matrix that the baseline is trained on"),
    "cli/data_tables.py": ("cli/test_describe_prepared.py", "tables that describe prints"),
    "cli/describe.py": ("cli/test_describe_prepared.py", VERB),
    "cli/embeddings.py": ("cli/test_places.py", VERB),
    "cli/ensemble.py": ("ensembles/test_command_line.py", VERB),
    "cli/ensemble_view.py": ("ensembles/test_command_line.py", "what train --seeds and ensemble print"),
    "cli/evaluate.py": ("cli/test_main.py", VERB),
    "ensembles/finish.py": ("ensembles/test_train.py", "the result of an ensemble"),
    "ensembles/member_events.py": ("ensembles/test_side_by_side.py", "what members tell while they are trained"),
    "ensembles/member_process.py": ("ensembles/test_side_by_side.py", "the process of a member, tested by starting it"),
    "ensembles/orders.py": ("ensembles/test_side_by_side.py", "how a process takes orders, tested by starting it"),
    "ensembles/worker.py": ("ensembles/test_side_by_side.py", "a process of members, tested by starting it"),
    "evaluation/run_scorer.py": ("ensembles/test_train.py", "scores of ensembles and of their members"),
    "runs/ensemble_folder.py": ("ensembles/test_make.py", "the folder of an ensemble, whole and damaged"),
    "cli/evaluation_view.py": ("cli/test_main.py", "what evaluate prints"),
    "cli/model_facts.py": ("cli/test_any_terminal.py", "what describe prints as JSON"),
    "cli/predict.py": ("cli/test_main.py", VERB),
    "cli/prepare.py": ("cli/test_main.py", VERB),
    "cli/profile.py": ("cli/test_main.py", VERB),
    "cli/progress.py": ("cli/test_main.py", "what verbs print while they work"),
    "cli/spectrum_summary.py": ("cli/test_any_terminal.py", "what spectrum prints as JSON"),
    "cli/standard_streams.py": ("cli/test_places.py", "the argument -, tested by calling verbs with it"),
    "cli/repeat.py": ("cli/test_runs.py", VERB),
    "cli/stop_signals.py": ("integration/test_killed_training.py", "processes are sent signals there"),
    "cli/theory.py": ("cli/test_main.py", VERB),
    "cli/study_view.py": ("cli/test_study.py", "what study run prints"),
    "cli/train.py": ("cli/test_main.py", VERB),
    "cli/tune_view.py": ("cli/test_tune.py", "what tune prints"),
    "config/annotations.py": ("config/test_explain.py", "places of mistakes, which messages name"),
    "config/base.py": ("architecture/test_public_names.py", "the base of all settings, each of which is looked at"),
    "config/calibration.py": ("training/test_calibration_by_valid.py", SETTINGS),
    "config/checkpoint.py": ("training/test_resume.py", SETTINGS),
    "config/execution.py": ("execution/test_device.py", SETTINGS),
    "config/optimiser.py": ("training/test_step.py", SETTINGS),
    "config/spectrum.py": ("spectrum/runs/test_observer.py", SETTINGS),
    "config/schedule.py": ("training/test_learning_rate.py", SETTINGS),
    "config/stopping.py": ("training/test_stopping.py", SETTINGS),
    "config/training.py": ("config/test_short_paths.py", SETTINGS),
    "data/building/build.py": ("data/test_prepare.py", STEP),
    "data/building/encoding.py": ("data/test_prepare.py", STEP),
    "data/building/fitting.py": ("data/test_prepare.py", STEP),
    "data/building/label_rates.py": ("data/test_prepare.py", STEP),
    "data/building/staging.py": ("data/test_prepare.py", STEP),
    "data/building/train_rows.py": ("data/test_prepare.py", STEP),
    "data/building/sketch.py": ("training/test_size_check.py", "the fields that sizes are checked with there"),
    "data/cells/list_texts.py": ("data/cells/test_lists.py", "lists written as text, read by their one caller"),
    "data/cells/number_texts.py": ("data/cells/test_numbers.py", "marks of numbers, read by their one caller"),
    "data/cells/text_notes.py": ("data/test_one_value.py", "warnings that prepare logs"),
    "data/cells/typed_times.py": ("data/cells/test_numbers.py", "times of Parquet as numbers, units and all"),
    "data/encoded_rows.py": ("data/test_shards.py", "the rows that are written to shards and read again"),
    "data/kinds/edges_fit.py": ("data/kinds/test_piecewise_linear.py", "the fit of both kinds with edges"),
    "data/kinds/list_rules.py": ("data/kinds/test_sequence.py", "how a sequence and what is made of it read lists"),
    "data/kinds/feature_output.py": ("docs/test_extending.py", "what every kind of field gives"),
    "data/kinds/field.py": ("docs/test_extending.py", "the base of every kind of field"),
    "data/kinds/spec.py": ("docs/test_extending.py", "the base of every kind's part of schema.json"),
    "data/kinds/vocabulary_rules.py": ("data/kinds/test_vocabulary_fit.py", SETTINGS),
    "data/loading/gather.py": ("data/loading/test_loader.py", "copies the rows of the loader's batches"),
    "data/manifest.py": ("data/test_prepared.py", "what a prepared folder says of itself"),
    "data/published/catalogue.py": ("data/published/test_fetch.py", "the list of data sets that are fetched"),
    "data/published/record.py": ("data/published/test_fetch.py", "the record of accepted terms that fetching leaves"),
    "data/planted/settings.py": ("data/planted/test_stream.py", SETTINGS),
    "data/planted/truth.py": ("data/planted/test_stream.py", "what the rows of the stream are drawn from"),
    "data/raw/arrow_file.py": ("data/raw/test_columnar_file.py", "one of the formats of typed columns"),
    "data/raw/arrow_layouts.py": ("data/raw/test_columnar_file.py", "layouts of columns that files and frames have"),
    "data/raw/csv_mistakes.py": ("data/raw/test_csv_file.py", "messages for CSV files that cannot be read"),
    "data/raw/csv_settings.py": ("data/raw/test_csv_file.py", SETTINGS),
    "data/raw/csv_stream.py": ("data/raw/test_csv_file.py", "reads CSV files block by block"),
    "data/raw/data_folder.py": ("data/raw/test_source_files.py", "the files of a folder"),
    "data/raw/file_settings.py": ("data/raw/test_source_files.py", SETTINGS),
    "data/raw/foreign_formats.py": ("data/raw/test_contents.py", "names of formats that are not read"),
    "data/raw/inputs.py": ("serving/test_output.py", "what predict is given to score"),
    "data/raw/orc_file.py": ("data/raw/test_columnar_file.py", "one of the formats of typed columns"),
    "data/raw/parquet_texts.py": ("data/raw/test_parquet_file.py", "texts of Parquet columns"),
    "data/raw/rows.py": ("data/test_encoder.py", "rows as they are handed from readers to encoders"),
    "data/split_settings.py": ("data/building/test_row_splits.py", SETTINGS),
    "data/unseen.py": ("evaluation/test_unseen.py", "counts values that training has not seen"),
    "data_report/features.py": ("data_report/test_report.py", "a part of the report"),
    "data_report/figures.py": ("data_report/test_report.py", "the numbers that the report holds"),
    "data_report/reading.py": ("data_report/test_report.py", "a part of the report"),
    "data_report/twins.py": ("data_report/test_report.py", "a part of the report"),
    "drafting/columns.py": ("drafting/test_infer.py", STEP),
    "drafting/draft.py": ("drafting/test_infer.py", "the result of infer"),
    "drafting/group.py": ("drafting/test_infer.py", STEP),
    "drafting/leaks.py": ("drafting/test_infer.py", STEP),
    "drafting/lists.py": ("drafting/test_infer.py", STEP),
    "drafting/log_file.py": ("cli/test_init.py", "reads the log that init drafts from"),
    "drafting/profile.py": ("drafting/test_infer.py", STEP),
    "drafting/recipe_text.py": ("cli/test_init.py", "the recipe that init writes"),
    "drafting/sizes.py": ("drafting/test_infer.py", STEP),
    "drafting/splits.py": ("drafting/test_infer.py", STEP),
    "drafting/times.py": ("drafting/test_infer.py", STEP),
    "evaluation/alarm_facts.py": ("training/test_run_alarms.py", "facts gathered for the alarms of runs"),
    "evaluation/evaluate.py": ("training/test_run.py", "evaluates the runs that training's tests make"),
    "evaluation/unseen_in_rows.py": ("serving/test_watch.py", "unseen values as they are written"),
    "evaluation/row_scorer.py": ("serving/test_predict_proba.py", "probabilities of raw rows"),
    "execution/allocator.py": ("execution/test_process_state.py", "what it does to the process is looked at there"),
    "execution/kernels/cin.py": ("execution/kernels/test_registry.py", "tested by being registered"),
    "execution/kernels/cross.py": ("execution/kernels/test_registry.py", "tested by being registered"),
    "execution/kernels/field_attention.py": ("execution/kernels/test_registry.py", "tested by being registered"),
    "execution/kernels/full_mixing.py": ("execution/kernels/test_registry.py", "tested by being registered"),
    "execution/kernels/glu.py": ("execution/kernels/test_registry.py", "tested by being registered"),
    "execution/kernels/mlp_head.py": ("execution/kernels/test_registry.py", "tested by being registered"),
    "execution/kernels/norm.py": ("execution/kernels/test_registry.py", "tested by being registered"),
    "execution/kernels/per_token_mlp.py": ("execution/kernels/test_registry.py", "tested by being registered"),
    "execution/kernels/pre_norm_residual.py": ("execution/kernels/test_registry.py", "tested by being registered"),
    "execution/kernels/projection.py": ("execution/kernels/test_registry.py", "tested by being registered"),
    "execution/kernels/split_mixing.py": ("execution/kernels/test_registry.py", "tested by being registered"),
    "execution/kernels/swapped_parts.py": ("execution/kernels/test_registry.py", "tested by being registered"),
    "execution/machine_peak.py": ("training/test_speed.py", "the ceiling that speeds are compared with"),
    "execution/phases.py": ("profiling/test_stage_clock.py", "names of phases, which the stage clock hears of"),
    "execution/random_state.py": ("training/test_resume.py", "without it dropout masks would differ there"),
    "folder_lock.py": ("test_storage.py", "locks the folders that storage writes"),
    "interop/fuxictr/column_parts.py": ("interop/fuxictr/test_columns.py", "parts of columns"),
    "interop/fuxictr/files.py": ("interop/fuxictr/test_convert.py", STEP),
    "interop/fuxictr/notes.py": ("interop/fuxictr/test_convert.py", STEP),
    "interop/fuxictr/protocol.py": ("interop/fuxictr/test_convert.py", STEP),
    "interop/fuxictr/ranker.py": ("interop/fuxictr/test_convert.py", STEP),
    "interop/fuxictr/reading.py": ("interop/fuxictr/test_bad_settings.py", STEP),
    "interop/checkpoint.py": ("interop/test_import_published.py", "reads the checkpoints that are imported there"),
    "metrics/undefined.py": ("metrics/test_report.py", "the reasons why metrics are left out"),
    "models/autoint.py": ("models/test_references.py", "a model, held against loops over numbers"),
    "models/deep.py": ("models/test_mlp.py", "the layers that deep models share"),
    "models/deepfm.py": ("models/test_references.py", "a model, held against loops over numbers"),
    "models/ffns.py": ("models/test_mixings.py", "a table of layers; all tables are tested together"),
    "models/fibinet.py": ("models/test_references.py", "a model, held against loops over numbers"),
    "models/finalmlp.py": ("models/test_references.py", "a model, held against loops over numbers"),
    "models/finalnet.py": ("models/test_references.py", "a model, held against loops over numbers"),
    "models/first_order.py": (
        "models/test_references.py",
        "settings of models with a linear part",
    ),
    "models/fm.py": ("models/test_references.py", "a model, held against loops over numbers"),
    "models/heads.py": ("models/test_mixings.py", "a table of layers; all tables are tested together"),
    "models/logistic_regression.py": ("models/test_references.py", "a model, held against loops over numbers"),
    "models/masknet.py": ("models/test_references.py", "a model, held against loops over numbers"),
    "models/mixer.py": ("models/test_build.py", "the network of rankmixer and rankelastor"),
    "models/multi_embedding.py": ("models/test_references.py", "a model, held against loops over numbers"),
    "models/numbers.py": ("models/test_build.py", "a table of layers; the setting is built there"),
    "models/rankelastor.py": ("models/test_build.py", "settings of one model, built and called there"),
    "models/ranker_settings.py": ("models/test_build.py", SETTINGS),
    "models/rankmixer.py": ("models/test_build.py", "settings of one model, built and called there"),
    "models/tokenizers.py": ("models/test_mixings.py", "a table of layers; all tables are tested together"),
    "models/wukong.py": ("models/test_references.py", "a model, held against loops over numbers"),
    "models/xdeepfm.py": ("models/test_references.py", "a model, held against loops over numbers"),
    "nn/embedding/field_matrix.py": ("models/test_every_model.py", "the first point of every model"),
    "nn/embedding/field_norm.py": ("models/test_references.py", "a layer of a model that is held against loops"),
    "nn/interaction/factorization.py": ("models/test_references.py", "a layer of models that are held against loops"),
    "nn/interaction/field_gate.py": ("models/test_references.py", "a layer of models that are held against loops"),
    "nn/interaction/first_order.py": ("models/test_references.py", "a layer of models that are held against loops"),
    "nn/interaction/flat.py": ("models/test_references.py", "a layer of models that are held against loops"),
    "nn/interaction/mask_block.py": ("models/test_references.py", "a layer of models that are held against loops"),
    "nn/interaction/squeeze.py": ("models/test_references.py", "a layer of models that are held against loops"),
    "metrics/group_values.py": ("metrics/test_intervals.py", "values of groups, of which intervals are made"),
    "config/objective.py": ("training/test_objective.py", SETTINGS),
    "nn/around_network.py": ("nn/test_offset.py", "points and stages of a network with an offset"),
    "nn/shallow_tower.py": ("models/test_shallow_tower.py", "a tower beside every model"),
    "nn/tasks/shared_bottom.py": ("models/test_tasks.py", "tasks on every model"),
    "nn/sequence/encoded_features.py": ("models/test_sequences.py", "sequences before every model"),
    "nn/sequence/heads.py": ("nn/sequence/test_transformer.py", "heads of attention, held against loops"),
    "nn/sequence/layer.py": ("nn/sequence/test_encoder.py", "the base of all sequence layers"),
    "nn/sequence/unchanged.py": ("nn/sequence/test_encoder.py", "elements as they are"),
    "nn/tokenizer/with_sequences.py": ("models/test_sequences.py", "elements as tokens of a mixer"),
    "nn/sizes.py": ("models/test_layer_settings.py", "ranges of arguments, held where settings are read"),
    "nn/tokenizer/rankup.py": ("models/test_references.py", "a layer of a model that is held against loops"),
    "optimisers/copying.py": ("training/test_resume.py", "copies what a checkpoint holds of an optimiser"),
    "progress.py": ("data/test_prepare.py", "a protocol; listeners are called there"),
    "recipes/choices.py": ("recipes/test_completion.py", STEP),
    "recipes/facts.py": ("recipes/test_completion.py", STEP),
    "recipes/merging.py": ("recipes/test_completion.py", STEP),
    "recipes/protocols.py": ("recipes/test_completion.py", STEP),
    "recipes/json_schema.py": ("cli/test_main.py", "what the verb schema prints"),
    "recipes/prepare.py": ("data/test_used_by.py", "prepares the data of a recipe, of which the folder knows"),
    "recipes/recipe.py": ("recipes/test_load.py", SETTINGS),
    "serving/output_place.py": ("serving/test_output.py", "refuses outputs that exist, or lie in the input"),
    "serving/serving_run.py": ("serving/test_predict_proba.py", "the method of a loaded run"),
    "runs/tensor_file.py": ("runs/test_checkpoints.py", "writes the tensors of checkpoints"),
    "runs/seal.py": ("runs/test_load.py", "the checksums of the runs that are loaded there"),
    "spectrum/bounds/check.py": ("spectrum/bounds/test_bounds.py", "what each bound gives"),
    "spectrum/bounds/ffn.py": ("spectrum/bounds/test_bounds.py", "all bounds are tested together"),
    "spectrum/bounds/mixing.py": ("spectrum/bounds/test_bounds.py", "all bounds are tested together"),
    "spectrum/bounds/trials.py": ("spectrum/bounds/test_bounds.py", "random cases of the bounds"),
    "spectrum/comparison.py": ("spectrum/test_seeds.py", "what is said of two trajectories"),
    "spectrum/damping.py": ("spectrum/test_trajectory.py", "a measure of trajectories"),
    "spectrum/gaussian.py": ("spectrum/test_trajectory.py", "a reference of trajectories"),
    "spectrum/recording/merge.py": ("spectrum/runs/test_over_seeds.py", "recordings of several seeds"),
    "spectrum/recording/point.py": ("spectrum/recording/test_recorder.py", "what the recorder keeps of a point"),
    "spectrum/recording/problems.py": ("spectrum/runs/test_measure_run.py", "problems that a measured run lists"),
    "spectrum/recording/reading.py": ("spectrum/recording/test_recorder.py", "how the recorder reads outputs"),
    "spectrum/recording/running_gram.py": ("spectrum/recording/test_streaming.py", "sums that streaming keeps"),
    "spectrum/recording/statistics.py": ("spectrum/recording/test_recorder.py", "what the recorder gives"),
    "spectrum/report/frame.py": ("spectrum/report/test_model_report.py", "a part of the report"),
    "spectrum/report/page.py": ("spectrum/report/test_write.py", "a part of the report"),
    "spectrum/report/paper_figures.py": ("spectrum/report/test_write.py", "a part of the report"),
    "spectrum/report/figure_style.py": ("spectrum/report/test_write.py", "how those figures look"),
    "studies/report/paper_figures.py": ("studies/report/test_write.py", "the figures for papers"),
    "spectrum/report/payload.py": ("spectrum/report/test_write.py", "a part of the report"),
    "spectrum/report/plot.py": ("spectrum/report/test_model_report.py", "a part of the report"),
    "spectrum/report/stage_names.py": ("spectrum/report/test_write.py", "a part of the report"),
    "spectrum/runs/own_model.py": ("spectrum/report/test_model_report.py", "what a report of a recording shows"),
    "spectrum/runs/run_spectrum.py": ("spectrum/runs/test_measure_run.py", "what measuring a run gives"),
    "spectrum/runs/sample_means.py": ("spectrum/runs/test_over_seeds.py", "samples of several seeds"),
    "spectrum/runs/tensorboard.py": ("spectrum/runs/test_observer.py", "where the observer writes"),
    "spectrum/runs/training_samples.py": ("spectrum/runs/test_observer.py", "what the observer writes"),
    "spectrum/stages.py": ("spectrum/test_trajectory.py", "the stages of trajectories"),
    "spectrum/verdict.py": ("spectrum/test_trajectory.py", "what is said of a trajectory"),
    "studies/ledger.py": ("studies/report/test_published.py", "the published figures that are set beside own ones"),
    "studies/report/figures.py": ("studies/report/test_write.py", "a part of the report"),
    "studies/report/fits.py": ("studies/report/test_write.py", "a part of the report"),
    "studies/report/page.py": ("studies/report/test_write.py", "a part of the report"),
    "studies/report/table.py": ("studies/report/test_write.py", "a part of the report"),
    "studies/report/tables.py": ("studies/report/test_write.py", "a part of the report"),
    "studies/plan/axes.py": ("studies/plan/test_grid.py", "what axes move, and what is refused"),
    "studies/plan/settings.py": ("studies/plan/test_grid.py", SETTINGS),
    "studies/plan/study_file.py": ("studies/plan/test_grid.py", STEP),
    "studies/work/budget.py": ("studies/work/test_run_study.py", STEP),
    "studies/work/jobs.py": ("studies/work/test_run_study.py", STEP),
    "studies/work/lines.py": ("studies/work/test_run_study.py", "the lines that runs leave, whole and damaged"),
    "studies/work/one_run.py": ("studies/work/test_run_study.py", STEP),
    "studies/work/study_folder.py": ("studies/work/test_run_study.py", "the folder of a study, and what is refused"),
    "studies/work/one_tuning.py": ("studies/work/test_tuned.py", STEP),
    "studies/work/study_process.py": ("studies/work/test_run_study.py", "a process of a study, tested by starting it"),
    "studies/findings/cells.py": ("studies/findings/test_comparisons.py", "the runs that are compared there"),
    "studies/demo.py": ("integration/test_demo.py", "the demo, run whole"),
    "training/checks.py": ("training/test_run.py", STEP),
    "training/beginning.py": ("training/test_resume.py", STEP),
    "training/checkpointer.py": ("training/test_resume.py", "writes the checkpoints that are resumed there"),
    "training/epochs.py": ("training/test_run.py", STEP),
    "training/evaluations.py": ("training/test_run.py", STEP),
    "training/evaluation_line.py": ("training/test_train_log.py", "the lines of the log"),
    "training/compare.py": ("training/test_run_alarms.py", STEP),
    "training/final_result.py": ("training/test_run.py", STEP),
    "training/initial_vectors.py": ("training/test_fresh_ranker.py", STEP),
    "training/inputs.py": ("training/test_run.py", STEP),
    "training/label_counts.py": ("training/test_output_bias.py", STEP),
    "training/loop.py": ("training/test_run.py", STEP),
    "training/observers.py": ("training/test_run.py", "a protocol; observers are called there"),
    "training/skipping.py": ("training/test_not_finite.py", "what a step that is left out puts back"),
    "training/snapshot.py": ("training/test_resume.py", "the state that checkpoints hold"),
    "training/training.py": ("training/test_run.py", "a training's parts, without code of their own"),
    "tuning/record.py": ("tuning/test_tune.py", "what became of trials, and the best of them"),
    "tuning/trial.py": ("tuning/test_tune.py", STEP),
    "tuning/tune_folder.py": ("tuning/test_tune.py", "the folder of a tuning, and what is refused"),
}
"""For modules without a test file of their name: the test file that covers them, and why it does."""


def modules() -> set[str]:
    """All modules that hold code; ``__init__`` and ``__main__`` hold none."""
    paths = (path for path in SOURCE.rglob("*.py") if not path.name.startswith("__"))
    return {path.relative_to(SOURCE).as_posix() for path in paths}


def test_of(module: str) -> Path:
    """The test file that has a module's name."""
    path = Path(module)
    return TESTS / path.parent / f"test_{path.name}"


test_of.__test__ = False  # type: ignore[attr-defined]


@cache
def imports_of(path: Path) -> frozenset[Path]:
    """The files of the package and of the tests that a file names: in imports, and in texts such as lazy imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module, *(f"{module}.{alias.name}" for alias in names)}
            case ast.Constant(value=str(text)) if text.startswith("rankelastor."):
                found.add(text)
            case ast.Constant(value="rankelastor"):  # the command, started as a process of its own
                found.add("rankelastor.cli.main")
    roots = {"rankelastor": SOURCE, "tests": TESTS}
    candidates = [
        roots[parts[0]].joinpath(*parts[1:-1], f"{parts[-1]}.py")
        for parts in (name.split(".") for name in found)
        if parts[0] in roots and len(parts) > 1
    ]
    packages = [path.with_suffix("") / "__init__.py" for path in candidates]
    return frozenset(path for path in [*candidates, *packages] if path.exists())


def reached_from(test: Path) -> set[Path]:
    """All files that a test file imports, directly or through others, with the fixtures of its folders."""
    folders = [folder for folder in test.parents if folder == TESTS or TESTS in folder.parents]
    waiting = [test, *(folder / "conftest.py" for folder in folders if (folder / "conftest.py").exists())]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += imports_of(path)
            if path == SOURCE / "cli" / "main.py":
                waiting += path.parent.glob("*.py")  # it imports each verb by name when it is called
    return seen


def test_every_module_has_a_test_file_of_its_name_or_is_covered_by_another() -> None:
    alone = {module for module in modules() if not test_of(module).exists()}
    missing = sorted(alone - set(COVERED))
    assert not missing, f"write test files of these names, or say in COVERED what covers them: {missing}"


def test_no_row_is_stale() -> None:
    gone = sorted(set(COVERED) - modules())
    assert not gone, f"these are gone: {gone}"
    own = sorted(module for module in COVERED if test_of(module).exists())
    assert not own, f"these have test files of their own now: {own}"


@pytest.mark.parametrize("module", COVERED)
def test_what_covers_a_module_is_there_and_reaches_it(module: str) -> None:
    test, reason = COVERED[module]
    assert (TESTS / test).exists(), test
    assert reason
    assert SOURCE / module in reached_from(TESTS / test), f"{test} imports {module} neither itself nor through others"
