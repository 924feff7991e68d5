# `make demo` and `make test` do all their own set-up in .venv; a second run takes seconds.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PACK   := likeness_studio
PYTEST_ARGS ?= -n auto

.PHONY: demo test test-comfyui lint clean
.DEFAULT_GOAL := demo

$(VENV)/.made:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Likeness Studio needs Python 3.11 or newer; set PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	mkdir -p $(VENV)/src && ln -sfn $(CURDIR) $(VENV)/src/$(PACK)
	touch $@

$(VENV)/.demo: $(VENV)/.made pyproject.toml constraints.txt
	@echo "Installing packages into $(VENV); this takes a few minutes the first time."
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.dev: $(VENV)/.demo
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/.demo  ## a verified studio headshot of a real photo: no server, no GPU, no account
	$(BIN)/likeness demo

test: $(VENV)/.dev  ## the whole test suite; what needs a real ComfyUI skips visibly without COMFYUI_PATH
	$(BIN)/likeness models get --quiet yunet sface u2net modnet u2netp face_mesh iris clip_bpe dlib_resnet
	LIKENESS_MODELS=$(VENV)/research-models $(BIN)/likeness models get --quiet scrfd_500m w600k_mbf
	$(BIN)/python tests/fetch_photos.py
	$(BIN)/pytest $(PYTEST_ARGS)

ON_COMFYUI := $(BIN)/pytest -m comfyui $(filter-out -n auto,$(PYTEST_ARGS))
NEW_COMFYUI = env COMFYUI_PATH="$(COMFYUI_PATH_NEW)" \
	$(if $(COMFYUI_PYTHON_NEW),COMFYUI_PYTHON="$(COMFYUI_PYTHON_NEW)",-u COMFYUI_PYTHON)

test-comfyui: $(VENV)/.dev  ## the tests with a real ComfyUI: with that of COMFYUI_PATH, then with that of COMFYUI_PATH_NEW
	@test -n "$(COMFYUI_PATH)" || { echo "Set COMFYUI_PATH to a ComfyUI, and COMFYUI_PATH_NEW to a newer one."; exit 2; }
	$(ON_COMFYUI); first=$$?; $(if $(COMFYUI_PATH_NEW),$(NEW_COMFYUI) $(ON_COMFYUI) &&) exit $$first

lint: $(VENV)/.dev  ## ruff and pyright
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

clean:
	rm -rf $(VENV) build *.egg-info
