"""Settings in the format of FuxiCTR and the published RankElastor code, for the four published layouts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

CATEGORIES = [f"C{index}" for index in range(1, 27)]
AVAZU = (
    "C1, banner_pos, site_id, site_domain, site_category, app_id, app_domain, app_category, device_id, device_ip, "
    "device_model, device_type, device_conn_type, C14, C15, C16, C17, C18, C19, C20, C21"
)
DATASETS = f"""
criteo_x1_7b681156:
    data_format: csv
    data_root: DATA/
    feature_cols:
    - {{active: true, dtype: float, name: [I1, I2, I3, I4, I5, I6, I7, I8, I9, I10, I11, I12, I13], type: numeric}}
    - {{active: true, dtype: float, name: [{", ".join(CATEGORIES)}], type: categorical}}
    label_col: {{dtype: float, name: label}}
    min_categr_count: 1
    rebuild_dataset: true
    train_data: DATA/Criteo_x1/train.csv
    valid_data: DATA/Criteo_x1/valid.csv
    test_data: DATA/Criteo_x1/test.csv

avazu_x4_3bbbc4c9:
    data_format: csv
    data_root: DATA/
    feature_cols:
    - {{active: false, dtype: str, name: id, type: categorical}}
    - {{active: true, dtype: str, name: hour, preprocess: convert_hour, type: categorical}}
    - {{active: true, dtype: str, name: [{AVAZU}], type: categorical}}
    - {{active: true, dtype: str, name: weekday, preprocess: convert_weekday, type: categorical}}
    - {{active: true, dtype: str, name: weekend, preprocess: convert_weekend, type: categorical}}
    label_col: {{dtype: float, name: click}}
    min_categr_count: 2
    train_data: DATA/Avazu_x4/train.csv
    valid_data: DATA/Avazu_x4/valid.csv
    test_data: DATA/Avazu_x4/test.csv

kuaivideo_x1_dc7a3035:
    data_format: csv
    data_root: DATA/
    feature_cols:
    - {{active: true, dtype: int, name: group_id, preprocess: copy_from(user_id), remap: false, type: meta}}
    - {{active: true, dtype: str, name: user_id, type: categorical}}
    - {{active: true, dtype: str, name: item_id, type: categorical}}
    - active: true
      dtype: str
      embedding_dim: 64
      min_categr_count: 1
      name: item_emb
      preprocess: copy_from(item_id)
      pretrained_emb: DATA/KuaiVideo_x1/item_visual_emb_dim64.h5
      freeze_emb: true
      type: categorical
    - {{active: true, dtype: str, max_len: 100, name: [pos_items, neg_items], padding: pre, share_embedding: item_id,
       splitter: ^, type: sequence}}
    - {{active: true, dtype: str, embedding_dim: 64, max_len: 100, min_categr_count: 1, name: pos_items_emb,
       padding: pre, preprocess: copy_from(pos_items), share_embedding: item_emb, splitter: ^, type: sequence,
       pretrained_emb: DATA/KuaiVideo_x1/item_visual_emb_dim64.h5}}
    - {{active: true, dtype: str, embedding_dim: 64, max_len: 100, min_categr_count: 1, name: neg_items_emb,
       padding: pre, preprocess: copy_from(neg_items), share_embedding: item_emb, splitter: ^, type: sequence,
       pretrained_emb: DATA/KuaiVideo_x1/item_visual_emb_dim64.h5}}
    label_col: {{dtype: float, name: is_click}}
    min_categr_count: 10
    train_data: DATA/KuaiVideo_x1/train.csv
    valid_data: DATA/KuaiVideo_x1/test.csv
    test_data: DATA/KuaiVideo_x1/test.csv

taobaoad_x1_83b1d9b4:
    data_format: csv
    data_root: DATA/
    feature_cols:
    - {{active: true, dtype: int, name: group_id, preprocess: copy_from(userid), remap: false, type: meta}}
    - active: true
      dtype: str
      name: [userid, cms_segid, cms_group_id, final_gender_code, age_level, pvalue_level, shopping_level, occupation,
        new_user_class_level, adgroup_id, cate_id, campaign_id, customer, brand, pid, btag]
      type: categorical
    - {{active: true, dtype: float, name: price, type: numeric}}
    - {{active: true, dtype: str, max_len: 50, name: cate_his, padding: pre, share_embedding: cate_id, splitter: ^,
       type: sequence}}
    - {{active: true, dtype: str, max_len: 50, name: brand_his, padding: pre, share_embedding: brand, splitter: ^,
       type: sequence}}
    - {{active: true, dtype: str, max_len: 50, name: btag_his, padding: pre, share_embedding: btag, splitter: ^,
       type: sequence}}
    label_col: {{dtype: float, name: clk}}
    min_categr_count: 10
    train_data: DATA/TaobaoAd_x1/train.csv
    valid_data: DATA/TaobaoAd_x1/test.csv
"""
MODELS = """
criteo_e10: &criteo
    batch_norm: false
    batch_size: 4096
    dataset_id: criteo_x1_7b681156
    debug: false
    embedding_dim: 10
    embedding_regularizer: 1.0e-05
    epochs: 100
    every_x_epochs: 1
    learning_rate: 0.001
    loss: binary_crossentropy
    metrics: [AUC, logloss]
    model: UniMixer
    model_id: UniMixer_base
    model_root: ./models/
    monitor: AUC
    monitor_mode: max
    net_dropout: 0.1
    net_regularizer: 0
    num_workers: 3
    optimizer: adam
    patience: 2
    pickle_feature_encoder: true
    save_best_only: true
    seed: 2019
    shuffle: true
    task: binary_classification
    use_hdf5: true
    verbose: 0
    Token_num: 15
    Token_dim: 26
    depth: 1
    use_opq: false
    opq_momentum: 0.01
    mixing_type: 999
    pred_head: mlp
    use_tokenizer: true
    proj_param: {hidden_units: [500], dropout: 0.1, activation: relu, trans_type: matrix, use_layer_norm: true}
    interaction_ffn_type: mlp
    interaction_mlp_params:
        {hidden_units: [64, 64], dropout: 0.0, activation: swiglu, expansion_rate: 3.0, use_layer_norm: true}

criteo_e20: &criteo_e20
    <<: *criteo
    embedding_dim: 20
    Token_num: 26
    Token_dim: 30

criteo_e20_rankmixer:
    <<: *criteo_e20
    Token_dim: 26
    mixing_type: 2
    depth: 2
    proj_param: {hidden_units: [500], dropout: 0.1, activation: relu, trans_type: matrix, use_layer_norm: false}
    interaction_mlp_params:
        {hidden_units: [200, 200], dropout: 0.0, activation: gelu, expansion_rate: 1.0, use_layer_norm: false}

criteo_e20_fast:
    <<: *criteo_e20
    mixing_type: 8881
    depth: 2

avazu_e16: &avazu
    <<: *criteo
    dataset_id: avazu_x4_3bbbc4c9
    batch_size: 10000
    embedding_dim: 16
    embedding_regularizer: 0
    monitor: {AUC: 1, logloss: -1}
    Token_num: 24
    Token_dim: 16
    depth: 4
    proj_param: {hidden_units: [800], dropout: 0.0, activation: relu, trans_type: vector, use_layer_norm: true}
    interaction_mlp_params:
        {hidden_units: [16], dropout: 0.0, activation: swiglu, expansion_rate: 3.0, use_layer_norm: true}

avazu_e32:
    <<: *avazu
    embedding_dim: 32
    Token_dim: 32
    use_tokenizer: false
    depth: 3
    interaction_mlp_params:
        {hidden_units: [32], dropout: 0.0, activation: swiglu, expansion_rate: 3.0, use_layer_norm: true}

avazu_e64:
    <<: *avazu
    embedding_dim: 64
    Token_dim: 64
    learning_rate: 0.0001
    depth: 5
    interaction_mlp_params:
        {hidden_units: [64], dropout: 0.0, activation: swiglu, expansion_rate: 3.0, use_layer_norm: true}
"""
BASE = """
Base:
    model_root: ./checkpoints/
    num_workers: 3
    verbose: 1
    early_stop_patience: 2
    pickle_feature_encoder: true
    save_best_only: true
    eval_steps: null
    debug_mode: false
    group_id: null
    use_features: null
    feature_specs: null
    feature_config: null
"""
DIN = """
DIN_kuaivideo:
    model: DIN
    dataset_id: kuaivideo_x1_dc7a3035
    loss: binary_crossentropy
    metrics: [gAUC, AUC, logloss]
    task: binary_classification
    optimizer: adam
    learning_rate: 5.e-4
    embedding_regularizer: l2(5.e-5)
    net_regularizer: 1.e-6
    dnn_hidden_units: [1024, 512, 256]
    attention_hidden_units: [512, 256]
    net_dropout: 0.1
    batch_size: 8192
    embedding_dim: 64
    feature_specs:
    - {feature_encoder: 'nn.Linear(64, 64, bias=False)', name: item_emb}
    - name: [pos_items_emb, neg_items_emb]
      feature_encoder: ['layers.MaskedAveragePooling()', 'nn.Linear(64, 64, bias=False)']
    epochs: 100
    shuffle: true
    seed: 20222023
    monitor: {gAUC: 1, AUC: 1}
    monitor_mode: max
    group_id: group_id

DIN_taobaoad:
    model: DIN
    dataset_id: taobaoad_x1_83b1d9b4
    loss: binary_crossentropy
    metrics: [gAUC, AUC, logloss]
    task: binary_classification
    optimizer: adam
    learning_rate: 1.e-3
    batch_size: 8192
    embedding_dim: 32
    epochs: 100
    shuffle: true
    seed: 2023
    monitor: gAUC
    monitor_mode: max
    group_id: group_id
"""

Change = Callable[..., Path]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Write one pair of settings files, which expect raw data in ``tmp_path / "raw"``."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "dataset_config.yaml").write_text(DATASETS.replace("DATA", str(tmp_path / "raw")))
    (folder / "model_config.yaml").write_text(MODELS + BASE + DIN)
    return folder


@cache
def parsed() -> tuple[dict[str, Any], dict[str, Any]]:
    """Read all settings of models and data sets once, since reading takes longer than a test."""
    return yaml.safe_load(MODELS + BASE + DIN), yaml.safe_load(DATASETS)


@pytest.fixture
def changed(tmp_path: Path) -> Change:
    """Write one experiment with changes to its settings, its data set or its only column; return the folder."""

    def change(
        expid: str,
        model: dict[str, Any] | None = None,
        dataset: dict[str, Any] | None = None,
        column: dict[str, Any] | None = None,
    ) -> Path:
        models, datasets = parsed()
        settings = models[expid] | (model or {})
        values = datasets[settings["dataset_id"]] | (dataset or {})
        if column is not None:
            values["feature_cols"] = [{"active": True, "dtype": "str", "type": "categorical", "name": "a"} | column]
        folder = tmp_path / "changed"
        folder.mkdir(exist_ok=True)
        (folder / "model_config.yaml").write_text(yaml.safe_dump({expid: settings}))
        (folder / "dataset_config.yaml").write_text(yaml.safe_dump({settings["dataset_id"]: values}))
        return folder

    return change
