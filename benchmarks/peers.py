"""The same network and the same steps, as the tutorials of four others write them.

    tool(task) -> run
    run(orders, enough) -> losses, share of the unseen that is right after each epoch

Each starts from the task's weights whenever it is called, sees the examples in the orders it
is given, one an epoch, and stops early when `enough` of the unseen are right. What needs to be
done only once, modules, data on the device, compiled functions, is done before `run`.

    python_loop   JAX and optax: a step under `jax.jit`, called from Python on batches that
                  were cut before: nothing but calls is left to the loop
    equinox_loop  Equinox's example of a recurrent network: `filter_jit`, a generator of batches
    flax_loop     Flax NNX's introduction, MNIST: `nnx.jit`, `nnx.Optimizer`, `nnx.MultiMetric`
    torch_loop    PyTorch's quickstart: a DataLoader, `backward`, `step`, `zero_grad`
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import equinox
import jax
import jax.numpy as jnp
import numpy
import optax
import torch
from flax import nnx
from measuring import seconds

Orders = Sequence[numpy.ndarray]
Run = Callable[..., tuple[list[float], list[float]]]


@dataclass(frozen=True, eq=False)
class Task:
    """A stack of dense layers, first weights, examples, and how it is trained (by Adam)."""

    layers: tuple[tuple[numpy.ndarray, numpy.ndarray], ...]  # W: out, in; b: out
    between: str  # tanh or relu
    classes: bool  # y are classes, the loss is cross entropy; else the squared error
    x: numpy.ndarray
    y: numpy.ndarray
    batch: int
    rate: float
    unseen: tuple[numpy.ndarray, numpy.ndarray] | None = None


def cut(task: Task, order: numpy.ndarray) -> list[numpy.ndarray]:
    """The places of the examples of each batch."""
    return [order[k : k + task.batch] for k in range(0, len(order), task.batch)]


def loss_of(task: Task, out: Any, y: Any) -> Any:
    if task.classes:
        return optax.softmax_cross_entropy_with_integer_labels(out, y).mean()
    return jnp.mean(jnp.sum((out - y) ** 2, axis=-1))


def activation(task: Task) -> Callable[[Any], Any]:
    return {"tanh": jnp.tanh, "relu": jax.nn.relu}[task.between]  # type: ignore[return-value]


# --- JAX --------------------------------------------------------------------------------------


def python_loop(task: Task) -> Run:
    between, optimizer = activation(task), optax.adam(task.rate)

    def network(layers: Any, x: Any) -> Any:
        for W, b in layers[:-1]:
            x = between(x @ W.T + b)
        W, b = layers[-1]
        return x @ W.T + b

    @jax.jit
    def step(layers: Any, memory: Any, x: Any, y: Any) -> Any:
        def loss(layers: Any) -> Any:
            return loss_of(task, network(layers, x), y)

        value, gradient = jax.value_and_grad(loss)(layers)
        updates, memory = optimizer.update(gradient, memory)
        return optax.apply_updates(layers, updates), memory, value

    @jax.jit
    def share_right(layers: Any, x: Any, y: Any) -> Any:
        return jnp.mean(jnp.argmax(network(layers, x), axis=-1) == y)

    first = jax.tree.map(jnp.asarray, task.layers)
    fresh = optimizer.init(first)
    unseen = None if task.unseen is None else jax.device_put(task.unseen)
    batches: dict[int, Any] = {}  # cut once for each order

    def run(orders: Orders, enough: float = 2.0) -> tuple[list[float], list[float]]:
        layers, memory, losses, right = first, fresh, [], []
        for order in orders:
            if id(order) not in batches:
                cuts = cut(task, order)
                batches[id(order)] = [jax.device_put((task.x[c], task.y[c])) for c in cuts]
            for x, y in batches[id(order)]:
                layers, memory, loss = step(layers, memory, x, y)
                losses.append(loss)
            if unseen is not None:
                right.append(float(share_right(layers, *unseen)))
                if right[-1] >= enough:
                    break
        return [float(loss) for loss in jax.device_get(losses)], right

    return run


# --- Equinox ------------------------------------------------------------------------------------


class Network(equinox.Module):
    layers: list[equinox.nn.Linear]
    between: Callable[[Any], Any] = equinox.field(static=True)

    def __call__(self, x: Any) -> Any:
        for layer in self.layers[:-1]:
            x = self.between(layer(x))
        return self.layers[-1](x)


def equinox_loop(task: Task) -> Run:
    def linear(W: numpy.ndarray, b: numpy.ndarray) -> equinox.nn.Linear:
        layer = equinox.nn.Linear(W.shape[1], W.shape[0], key=jax.random.key(0))
        parts = jnp.asarray(W), jnp.asarray(b)
        return equinox.tree_at(lambda one: (one.weight, one.bias), layer, parts)

    first = Network([linear(W, b) for W, b in task.layers], activation(task))
    optimizer = optax.adam(task.rate)
    data = jnp.asarray(task.x), jnp.asarray(task.y)

    def dataloader(order: numpy.ndarray) -> Iterator[tuple[Any, ...]]:
        for places in cut(task, order):
            yield tuple(array[places] for array in data)

    @equinox.filter_value_and_grad
    def compute_loss(model: Network, x: Any, y: Any) -> Any:
        return loss_of(task, jax.vmap(model)(x), y)

    @equinox.filter_jit
    def make_step(model: Network, x: Any, y: Any, opt_state: Any) -> Any:
        loss, grads = compute_loss(model, x, y)
        updates, opt_state = optimizer.update(grads, opt_state)
        return loss, equinox.apply_updates(model, updates), opt_state

    fresh = optimizer.init(equinox.filter(first, equinox.is_array))

    def run(orders: Orders, enough: float = 2.0) -> tuple[list[float], list[float]]:
        model, opt_state, losses = first, fresh, []
        for order in orders:
            for x, y in dataloader(order):
                loss, model, opt_state = make_step(model, x, y, opt_state)
                losses.append(loss.item())
        return losses, []

    return run


# --- Flax NNX -------------------------------------------------------------------------------------


class Stack(nnx.Module):  # type: ignore[misc]
    def __init__(self, task: Task, rngs: nnx.Rngs) -> None:
        self.between = activation(task)
        self.layers = nnx.List(
            nnx.Linear(W.shape[1], W.shape[0], rngs=rngs) for W, _ in task.layers
        )
        for layer, (W, b) in zip(self.layers, task.layers, strict=True):
            layer.kernel[...], layer.bias[...] = jnp.asarray(W.T), jnp.asarray(b)

    def __call__(self, x: Any) -> Any:
        for layer in self.layers[:-1]:
            x = self.between(layer(x))
        return self.layers[-1](x)


def flax_loop(task: Task) -> Run:
    def loss_fn(model: Stack, batch: Any) -> tuple[Any, Any]:
        logits = model(batch["image"])
        return loss_of(task, logits, batch["label"]), logits

    @nnx.jit
    def train_step(model: Stack, optimizer: Any, metrics: Any, batch: Any) -> None:
        grad_fn = nnx.value_and_grad(loss_fn, has_aux=True)
        (loss, logits), grads = grad_fn(model, batch)
        metrics.update(loss=loss, logits=logits, labels=batch["label"])
        optimizer.update(model, grads)

    @nnx.jit
    def eval_step(model: Stack, metrics: Any, batch: Any) -> None:
        loss, logits = loss_fn(model, batch)
        metrics.update(loss=loss, logits=logits, labels=batch["label"])

    def batch(x: numpy.ndarray, y: numpy.ndarray) -> dict[str, numpy.ndarray]:
        return {"image": x, "label": y}

    def run(orders: Orders, enough: float = 2.0) -> tuple[list[float], list[float]]:
        model, losses, right = Stack(task, nnx.Rngs(0)), [], []
        optimizer = nnx.Optimizer(model, optax.adam(task.rate), wrt=nnx.Param)
        metrics = nnx.MultiMetric(accuracy=nnx.metrics.Accuracy(), loss=nnx.metrics.Average("loss"))
        for order in orders:
            for places in cut(task, order):
                train_step(model, optimizer, metrics, batch(task.x[places], task.y[places]))
            losses.append(float(metrics.compute()["loss"]))  # the epoch's mean
            metrics.reset()
            assert task.unseen is not None
            eval_step(model, metrics, batch(*task.unseen))
            right.append(float(metrics.compute()["accuracy"]))
            metrics.reset()
            if right[-1] >= enough:
                break
        return losses, right

    return run


# --- PyTorch --------------------------------------------------------------------------------------


DEVICE = "cuda" if jax.default_backend() != "cpu" and torch.cuda.is_available() else "cpu"


def at_its_best(run: Callable[[], Any]) -> int:
    """Let PyTorch have as many threads as suit it here: one where others need the cores, for
    its threads wait for each other by turning round. Gives their number."""
    taken = {}
    for threads in {1, os.cpu_count() or 1}:
        torch.set_num_threads(threads)
        run()
        taken[threads] = min(seconds(run).wall for _ in range(5))
    best = min(taken, key=lambda threads: taken[threads])
    torch.set_num_threads(best)
    return best


def torch_loop(task: Task) -> Run:
    between = {"tanh": torch.nn.Tanh, "relu": torch.nn.ReLU}[task.between]
    parts: list[torch.nn.Module] = []
    for W, _ in task.layers:
        parts += [torch.nn.Linear(W.shape[1], W.shape[0]), between()]
    model = torch.nn.Sequential(*parts[:-1]).to(DEVICE)
    x, y = torch.tensor(task.x), torch.tensor(task.y)
    dataset = torch.utils.data.TensorDataset(x, y.long() if task.classes else y)
    first = [torch.tensor(array) for layer in task.layers for array in layer]
    unseen = task.unseen and [torch.tensor(array).to(DEVICE) for array in task.unseen]

    def squared_error(out: Any, y: Any) -> Any:
        return ((out - y) ** 2).sum(-1).mean()

    loss_fn = torch.nn.CrossEntropyLoss() if task.classes else squared_error

    def run(orders: Orders, enough: float = 2.0) -> tuple[list[float], list[float]]:
        losses, right = [], []
        with torch.no_grad():
            for parameter, value in zip(model.parameters(), first, strict=True):
                parameter.copy_(value)
        optimizer = torch.optim.Adam(model.parameters(), lr=task.rate)
        optimizer.zero_grad()
        for order in orders:
            loader = torch.utils.data.DataLoader(dataset, task.batch, sampler=order.tolist())
            model.train()
            for x, y in loader:
                x, y = x.to(DEVICE), y.to(DEVICE)
                loss = loss_fn(model(x), y)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad()
                losses.append(loss.item())
            if unseen is not None:
                model.eval()
                with torch.no_grad():
                    correct = model(unseen[0]).argmax(1) == unseen[1]
                right.append(float(correct.float().mean()))
                if right[-1] >= enough:
                    break
        return losses, right

    return run


def torch_lstm(weights: Any, xs: numpy.ndarray, y: numpy.ndarray) -> Callable[[], Any]:
    """Loss and gradient of `torch.nn.LSTM` with one bias, its last output beside `y`:
    weights `W`: 4 m, n, `U`: 4 m, m, `b`: 4 m, gates as PyTorch orders them: input, forget,
    cell, output."""
    width, inputs = weights["U"].shape[1], weights["W"].shape[1]
    model = torch.nn.LSTM(inputs, width, batch_first=True)
    with torch.no_grad():
        for name, value in (("weight_ih", "W"), ("weight_hh", "U"), ("bias_ih", "b")):
            getattr(model, f"{name}_l0").copy_(torch.tensor(weights[value]))
        model.bias_hh_l0.zero_()
    model.bias_hh_l0.requires_grad_(False)
    model = model.to(DEVICE)
    inputs_, goal = torch.tensor(xs).to(DEVICE), torch.tensor(y).to(DEVICE)

    def run() -> Any:
        for parameter in model.parameters():
            parameter.grad = None
        _, (h, _) = model(inputs_)
        loss = ((h[0] - goal) ** 2).sum(-1).mean()
        loss.backward()
        found = {"W": model.weight_ih_l0, "U": model.weight_hh_l0, "b": model.bias_ih_l0}
        return loss.item(), {name: one.grad.cpu().numpy() for name, one in found.items()}

    return run
