"""Keras on TensorFlow, with what has to be settled before either is imported: the backend, CPU only, no chatter."""

import importlib
import os

NAME = "keras"

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = ""  # where Keras sees a GPU it compiles with XLA, which recording cannot enter
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

tf = importlib.import_module("tensorflow")
keras = importlib.import_module(NAME)
