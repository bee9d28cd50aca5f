"""DQN agent for a battery at home: 24 prices in, charge / hold / discharge out."""
import random
from collections import deque

import numpy as np
from keras.layers import Activation, Dense, Input
from keras.models import Model
from keras.optimizers import Adam

random.seed(0)
np.random.seed(0)


class BatteryEnv:
    """One step is one hour, the observation is the prices of the next 24."""

    def __init__(self, days=8):
        self.prices = np.random.rand(24 * days).astype("float32")
        self.action_space_n = 3
        self.observation_shape = (24,)

    def reset(self):
        self.t, self.level = 0, 0.5
        return self.prices[:24]

    def step(self, action):
        change = (action - 1) * 0.1
        change = min(max(self.level + change, 0.0), 1.0) - self.level
        self.level += change
        reward = -change * self.prices[self.t]
        self.t += 1
        done = self.t + 24 >= len(self.prices)
        return self.prices[self.t:self.t + 24], reward, done


class SequentialMemory:
    """Ring buffer whose states are the last window_length observations."""

    def __init__(self, limit, window_length):
        self.window_length = window_length
        self.buffer = deque(maxlen=limit)
        self.recent = deque(maxlen=window_length)

    def get_recent_state(self, observation):
        state = list(self.recent)[-(self.window_length - 1):] if self.window_length > 1 else []
        while len(state) < self.window_length - 1:
            state.insert(0, np.zeros_like(observation))
        return np.array(state + [observation])

    def append(self, state, action, reward, next_state, terminal):
        self.recent.append(state[-1])
        self.buffer.append((state, action, reward, next_state, terminal))

    def sample(self, batch_size):
        return random.sample(self.buffer, batch_size)


class DQNAgent:
    def __init__(self, model, nb_actions, memory, nb_steps_warmup=16, batch_size=8, gamma=0.99, eps=0.2):
        self.model, self.nb_actions, self.memory = model, nb_actions, memory
        self.nb_steps_warmup, self.batch_size, self.gamma, self.eps = nb_steps_warmup, batch_size, gamma, eps

    def compute_q_values(self, state):
        q_values = self.model.predict_on_batch(np.array([state]))
        return np.asarray(q_values)[0]

    def forward(self, state):
        if random.random() < self.eps:
            return random.randrange(self.nb_actions)
        return int(np.argmax(self.compute_q_values(state)))

    def backward(self):
        batch = self.memory.sample(self.batch_size)
        state0 = np.array([b[0] for b in batch])
        state1 = np.array([b[3] for b in batch])
        target = np.array(self.model.predict_on_batch(state0))
        best = np.asarray(self.model.predict_on_batch(state1)).max(axis=1)
        for i, (_, action, reward, _, terminal) in enumerate(batch):
            target[i, action] = reward + self.gamma * best[i] * (not terminal)
        return self.model.train_on_batch(state0, target)

    def fit(self, env, nb_steps):
        observation = env.reset()
        for step in range(nb_steps):
            state = self.memory.get_recent_state(observation)
            action = self.forward(state)
            observation, reward, done = env.step(action)
            self.memory.append(state, action, reward, self.memory.get_recent_state(observation), done)
            if step >= self.nb_steps_warmup:
                loss = self.backward()
            if done:
                observation = env.reset()
        print("steps", nb_steps, "loss", float(np.mean(loss)))


env = BatteryEnv()
nb_actions = env.action_space_n

inputs = Input(shape=env.observation_shape)
x = Dense(16, activation="relu")(inputs)
x = Dense(16, activation="relu")(x)
x = Dense(nb_actions)(x)
outputs = Activation("linear")(x)
model = Model(inputs, outputs)
model.compile(optimizer=Adam(learning_rate=1e-3), loss="mae")
model.summary()

memory = SequentialMemory(limit=500, window_length=1)
dqn = DQNAgent(model=model, nb_actions=nb_actions, memory=memory)
dqn.fit(env, nb_steps=24)
