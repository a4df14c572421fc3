"""RankElastor: train, understand and use click-through-rate rankers of the RankMixer / RankElastor family."""

__version__ = "0.1.0"
