"""A2C on a balancing task: the state is the last few observations, as for Atari."""
from collections import deque

import keras
import numpy as np
import tensorflow as tf
from keras.layers import Dense, Flatten, Input
from keras.models import Model

keras.utils.set_random_seed(0)
rng = np.random.default_rng(0)


class CartPole:
    """Five observed values, two actions."""

    def reset(self):
        self.t, self.s = 0, rng.normal(0, 0.05, 5)
        return self.s.copy()

    def step(self, a):
        self.t += 1
        self.s = self.s + 0.1 * np.roll(self.s, 1) + (0.05 if a else -0.05)
        return self.s.copy(), 1.0, bool(abs(self.s[0]) > 1 or self.t >= 12)


class Environment:
    """Keeps a buffer of consecutive observations."""

    def __init__(self, gym_env, consecutive_frames):
        self.env, self.buffer = gym_env, deque(maxlen=consecutive_frames)
        self.consecutive_frames = consecutive_frames

    def get_state_size(self):
        return (5,)

    def reset(self):
        s = self.env.reset()
        for _ in range(self.consecutive_frames):
            self.buffer.append(s)
        return np.array(self.buffer)

    def step(self, a):
        s, r, done = self.env.step(a)
        self.buffer.append(s)
        return np.array(self.buffer), r, done


class Agent:
    def __init__(self, inp_dim, out_dim, lr):
        self.inp_dim, self.out_dim = inp_dim, out_dim
        self.opt = keras.optimizers.RMSprop(lr)

    def reshape(self, x):
        if len(x.shape) < 4 and len(self.inp_dim) > 2:
            return np.expand_dims(x, axis=0)
        return x

    def predict(self, inp):
        return self.model.predict(self.reshape(inp), verbose=0)


class Actor(Agent):
    def __init__(self, inp_dim, out_dim, network, lr):
        super().__init__(inp_dim, out_dim, lr)
        self.model = Model(network.input, Dense(out_dim, activation="softmax")(Dense(24, activation="relu")(network.output)))


class Critic(Agent):
    def __init__(self, inp_dim, out_dim, network, lr):
        super().__init__(inp_dim, out_dim, lr)
        self.model = Model(network.input, Dense(1, activation="linear")(Dense(20, activation="relu")(network.output)))


class A2C:
    def __init__(self, act_dim, env_dim, k, gamma=0.99, lr=0.001):
        self.act_dim, self.gamma, self.env_dim = act_dim, gamma, (k,) + env_dim
        self.shared = self.build_network()
        self.actor = Actor(self.env_dim, act_dim, self.shared, lr)
        self.critic = Critic(self.env_dim, act_dim, self.shared, lr)

    def build_network(self):
        inp = Input((self.env_dim))
        x = Flatten()(inp)
        x = Dense(32, activation="relu")(x)
        return Model(inp, Dense(28, activation="relu")(x))

    def policy_action(self, s):
        return rng.choice(self.act_dim, p=self.actor.predict(s).ravel())

    def train_models(self, states, actions, rewards):
        returns, last = np.zeros(len(rewards), "float32"), 0.0
        for t in reversed(range(len(rewards))):
            last = returns[t] = rewards[t] + self.gamma * last
        states = np.array(states, dtype="float32")
        with tf.GradientTape(persistent=True) as tape:
            values, probs = self.critic.model(states)[:, 0], self.actor.model(states)
            advantages = tf.stop_gradient(returns - values)
            taken = tf.reduce_sum(probs * tf.one_hot(actions, self.act_dim), axis=1)
            actor_loss = -tf.reduce_mean(tf.math.log(taken + 1e-8) * advantages)
            critic_loss = tf.reduce_mean((returns - values) ** 2)
        for agent, loss in ((self.actor, actor_loss), (self.critic, critic_loss)):
            agent.opt.apply_gradients(zip(tape.gradient(loss, agent.model.trainable_variables), agent.model.trainable_variables))

    def train(self, env, nb_episodes):
        for e in range(nb_episodes):
            old_state, done, states, actions, rewards = env.reset(), False, [], [], []
            while not done:
                a = self.policy_action(old_state)
                new_state, r, done = env.step(a)
                states.append(old_state)
                actions.append(a)
                rewards.append(r)
                old_state = new_state
            self.train_models(states, actions, rewards)
            print("episode", e, "score", sum(rewards))


env = Environment(CartPole(), consecutive_frames=4)
algo = A2C(2, env.get_state_size(), k=4)
algo.train(env, nb_episodes=2)
