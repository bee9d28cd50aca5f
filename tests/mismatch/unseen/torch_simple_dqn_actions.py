# Deep Q-learning for a lunar lander, with the actions stored one-hot.
import numpy as np
import torch as T
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim


class DeepQNetwork(nn.Module):
    def __init__(self, lr, input_dims, fc1_dims, fc2_dims, n_actions):
        super().__init__()
        self.fc1 = nn.Linear(*input_dims, fc1_dims)
        self.fc2 = nn.Linear(fc1_dims, fc2_dims)
        self.fc3 = nn.Linear(fc2_dims, n_actions)
        self.optimizer = optim.Adam(self.parameters(), lr=lr)
        self.loss = nn.MSELoss()

    def forward(self, state):
        x = F.relu(self.fc1(state))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


class Agent:
    def __init__(self, gamma, epsilon, lr, input_dims, batch_size, n_actions, max_mem_size=1000):
        self.gamma, self.epsilon, self.batch_size, self.n_actions = gamma, epsilon, batch_size, n_actions
        self.mem_size, self.mem_cntr = max_mem_size, 0
        self.Q_eval = DeepQNetwork(lr, input_dims, 64, 64, n_actions)
        self.state_memory = np.zeros((max_mem_size, *input_dims), dtype=np.float32)
        self.new_state_memory = np.zeros((max_mem_size, *input_dims), dtype=np.float32)
        self.action_memory = np.zeros((max_mem_size, n_actions), dtype=np.uint8)
        self.reward_memory = np.zeros(max_mem_size, dtype=np.float32)
        self.terminal_memory = np.zeros(max_mem_size, dtype=np.float32)

    def store_transition(self, state, action, reward, state_, terminal):
        index = self.mem_cntr % self.mem_size
        self.state_memory[index] = state
        actions = np.zeros(self.n_actions)
        actions[action] = 1.0
        self.action_memory[index] = actions
        self.reward_memory[index] = reward
        self.terminal_memory[index] = 1 - terminal
        self.new_state_memory[index] = state_
        self.mem_cntr += 1

    def choose_action(self, observation):
        if np.random.random() < self.epsilon:
            return np.random.choice(self.n_actions)
        return T.argmax(self.Q_eval(T.tensor(observation).unsqueeze(0))).item()

    def learn(self):
        if self.mem_cntr < self.batch_size:
            return
        self.Q_eval.optimizer.zero_grad()
        max_mem = min(self.mem_cntr, self.mem_size)
        batch = np.random.choice(max_mem, self.batch_size)
        batch_index = np.arange(self.batch_size, dtype=np.int32)
        action_values = np.arange(self.n_actions, dtype=np.uint8)
        action_indices = T.tensor(np.dot(self.action_memory[batch], action_values))
        reward_batch = T.tensor(self.reward_memory[batch])
        terminal_batch = T.tensor(self.terminal_memory[batch])

        q_eval = self.Q_eval(T.tensor(self.state_memory[batch]))
        q_next = self.Q_eval(T.tensor(self.new_state_memory[batch])).detach()
        q_target = q_eval.detach().clone()
        q_target[batch_index, action_indices] = reward_batch + self.gamma * q_next.max(dim=1)[0] * terminal_batch
        loss = self.Q_eval.loss(q_target, q_eval)
        loss.backward()
        self.Q_eval.optimizer.step()
        return loss.item()


T.manual_seed(0)
np.random.seed(0)
agent = Agent(gamma=0.99, epsilon=0.5, lr=0.003, input_dims=[8], batch_size=64, n_actions=4)
observation = np.random.rand(8).astype(np.float32)
for step in range(80):
    action = agent.choose_action(observation)
    observation_ = np.random.rand(8).astype(np.float32)
    agent.store_transition(observation, action, -1.0, observation_, step % 40 == 39)
    loss = agent.learn()
    observation = observation_
print("loss", loss)
