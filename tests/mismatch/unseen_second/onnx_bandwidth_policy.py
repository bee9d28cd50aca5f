# Estimates the bandwidth of a call step by step with an exported recurrent policy.
import warnings

import numpy as np
import onnxruntime
import torch
import torch.nn as nn

warnings.filterwarnings("ignore")
OBS_DIM, HIDDEN = 150, 24


class Policy(nn.Module):
    """Observations to the mean and deviation of the bandwidth, with a state between calls."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(OBS_DIM, 40), nn.Tanh(), nn.LayerNorm(40))
        self.rnn = nn.GRU(40, HIDDEN, batch_first=True)
        self.fc = nn.Sequential(nn.Linear(HIDDEN, 32), nn.ReLU(), nn.Linear(32, 1), nn.Tanh())
        self.log_std = nn.Parameter(torch.zeros(1))

    def forward(self, obs, hidden_states, cell_states):
        x = self.encoder(obs)
        out, _ = self.rnn(x, hidden_states.unsqueeze(0))
        mean = (self.fc(out) + 1) * 4e6
        std = self.log_std.exp() * torch.ones_like(mean)
        return torch.cat([mean, std], dim=-1), out[:, -1], cell_states


def export(path):
    torch.manual_seed(0)
    example = (torch.randn(1, 1, OBS_DIM), torch.zeros(1, HIDDEN), torch.zeros(1, HIDDEN))
    torch.onnx.export(Policy().eval(), example, path, input_names=["obs", "hidden_states", "cell_states"],
                      output_names=["output", "state_out", "cell_out"], dynamo=False)


def call_data(steps):
    """The recorded observations of one call: rates, delays, losses."""
    rng = np.random.default_rng(0)
    rates = np.abs(rng.normal(1e6, 2e5, (steps, 30)))
    delays = np.abs(rng.normal(80, 20, (steps, 60)))
    losses = rng.random((steps, 60)) * 0.05
    return {"observations": np.concatenate([rates, delays, losses], axis=1).tolist(),
            "bandwidth_predictions": rng.normal(1e6, 1e5, steps).tolist()}


def run(onnx_model, data):
    observations = np.asarray(data["observations"], dtype=np.float32)
    ort_session = onnxruntime.InferenceSession(onnx_model, providers=["CPUExecutionProvider"])
    hidden_state = np.zeros((1, HIDDEN), dtype=np.float32)
    cell_state = np.zeros((1, HIDDEN), dtype=np.float32)
    predictions = []
    for t in range(observations.shape[0]):
        obss = observations[t : t + 1, :].reshape(1, -1)
        feed_dict = {"obs": obss, "hidden_states": hidden_state, "cell_states": cell_state}
        bw_prediction, hidden_state, cell_state = ort_session.run(None, feed_dict)
        predictions.append(float(bw_prediction.reshape(-1)[0]))
    return np.asarray(predictions, dtype=np.float32)


export("onnxBwModel.onnx")
data = call_data(12)
predictions = run("onnxBwModel.onnx", data)
print("error", float(np.abs(predictions - np.array(data["bandwidth_predictions"])).mean()) >= 0)
