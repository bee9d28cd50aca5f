# Learns a game from its pictures with a deep Q-network and a memory of the last states.
import random
from collections import deque

import keras
import numpy as np
from keras import layers


class GameEnv:
    """Stands for the emulator: a picture of the screen, seven buttons."""

    observation_shape, n_actions = (60, 64, 3), 7

    def __init__(self, length=12):
        self.length, self.rng = length, np.random.default_rng(0)

    def reset(self):
        self.step_count = 0
        return self.rng.integers(0, 256, self.observation_shape, dtype=np.uint8)

    def step(self, action):
        self.step_count += 1
        screen = self.rng.integers(0, 256, self.observation_shape, dtype=np.uint8)
        return screen, float(action == 1), self.step_count >= self.length


class SequentialMemory:
    def __init__(self, limit, window_length):
        self.window_length = window_length
        self.transitions, self.recent = deque(maxlen=limit), deque(maxlen=window_length)

    def get_recent_state(self, observation):
        """The last window_length observations as a list, filled up with zeros."""
        state = [*self.recent, observation][-self.window_length:]
        return [np.zeros_like(observation)] * (self.window_length - len(state)) + state

    def append(self, state, action, reward, next_state, done, observation):
        self.transitions.append((state, action, reward, next_state, done))
        self.recent.append(observation)

    def sample(self, batch_size):
        return random.sample(list(self.transitions), batch_size)


class DQNAgent:
    def __init__(self, model, nb_actions, memory, nb_steps_warmup=8, target_model_update=10, gamma=0.99, batch_size=4):
        self.model, self.nb_actions, self.memory = model, nb_actions, memory
        self.nb_steps_warmup, self.target_model_update = nb_steps_warmup, target_model_update
        self.gamma, self.batch_size = gamma, batch_size
        self.target_model = keras.models.clone_model(model)

    def compile(self, optimizer):
        self.model.compile(optimizer, loss="mse")
        self.target_model.set_weights(self.model.get_weights())

    def process_state_batch(self, batch):
        return np.array(batch).astype("float32") / 255.0

    def compute_batch_q_values(self, state_batch):
        batch = self.process_state_batch(state_batch)
        q_values = self.model.predict_on_batch(batch)
        return q_values.reshape(len(state_batch), self.nb_actions)

    def forward(self, observation):
        state = self.memory.get_recent_state(observation)
        q_values = self.compute_batch_q_values([state]).flatten()
        exp = np.exp(q_values - q_values.max())
        return state, int(np.random.choice(self.nb_actions, p=exp / exp.sum()))

    def backward(self):
        states, actions, rewards, next_states, dones = zip(*self.memory.sample(self.batch_size))
        targets = self.compute_batch_q_values(states)
        next_q = self.target_model.predict_on_batch(self.process_state_batch(next_states)).max(axis=1)
        not_done = 1.0 - np.array(dones, "float32")
        targets[np.arange(self.batch_size), actions] = np.array(rewards) + self.gamma * next_q * not_done
        return self.model.train_on_batch(self.process_state_batch(states), targets)

    def fit(self, env, nb_steps):
        observation, loss = env.reset(), None
        for step in range(nb_steps):
            state, action = self.forward(observation)
            next_observation, reward, done = env.step(action)
            next_state = [*state[1:], next_observation]
            self.memory.append(state, action, reward, next_state, done, observation)
            if step >= self.nb_steps_warmup:
                loss = self.backward()
            if step % self.target_model_update == 0:
                self.target_model.set_weights(self.model.get_weights())
            observation = env.reset() if done else next_observation
        return loss


keras.utils.set_random_seed(0)
env = GameEnv()
model = keras.Sequential()
model.add(keras.Input(env.observation_shape))
model.add(layers.Conv2D(8, 8, strides=4, activation="relu"))
model.add(layers.Conv2D(12, 4, strides=2, activation="relu"))
model.add(layers.Conv2D(12, 2, strides=1, activation="relu"))
model.add(layers.Flatten())
model.add(layers.Dense(48, activation="relu"))
model.add(layers.Dense(env.n_actions))

memory = SequentialMemory(limit=200, window_length=1)
dqn = DQNAgent(model=model, nb_actions=env.n_actions, memory=memory)
dqn.compile(keras.optimizers.Adam(1e-4))
print("loss", round(float(dqn.fit(env, nb_steps=12)), 3))
