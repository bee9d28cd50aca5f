# Plays a card game: one model says which card to lay and which color to wish.
import keras
import numpy as np
from keras import layers

COLORS = ["clubs", "diamonds", "hearts", "spades"]
NUMBERS = list(range(2, 15))


class Card:
    def __init__(self, color, number):
        self.color, self.number = color, number

    def index(self):
        return COLORS.index(self.color) * len(NUMBERS) + NUMBERS.index(self.number)


class Player:
    def __init__(self, name, team, model=None):
        self.name = name
        self.hand = []
        self.team = team
        if not model:
            self.inputs = keras.Input(shape=(56,), name="input")
            self.model = self.build_model()
        else:
            self.model = model

    def build_model(self):
        return keras.Model(
            inputs=self.inputs, outputs=[self.build_number_branch(), self.build_color_branch()], name="player")

    def build_color_branch(self):
        x = layers.Dense(100, activation="relu", name="denseC1")(self.inputs)
        x = layers.Dense(50, activation="relu", name="denseC2")(x)
        x = layers.Dense(30, activation="relu", name="denseC3")(x)
        return layers.Dense(len(COLORS), activation="softmax", name="color")(x)

    def build_number_branch(self):
        x = layers.Dense(100, activation="relu", name="denseN1")(self.inputs)
        x = layers.Dense(50, activation="relu", name="denseN2")(x)
        x = layers.Dense(30, activation="relu", name="denseN3")(x)
        return layers.Dense(len(NUMBERS), activation="softmax", name="number")(x)

    def state(self, table):
        """52 cards: 1 in the hand, -1 on the table; then who is to play."""
        row = np.zeros(56, dtype="float32")
        for card in self.hand:
            row[card.index()] = 1.0
        for card in table:
            row[card.index()] = -1.0
        row[52 + len(table)] = 1.0
        return row

    def choose(self, table):
        number, color = self.model(self.state(table))
        number, color = np.array(number)[0], np.array(color)[0]
        best = max(self.hand, key=lambda c: number[NUMBERS.index(c.number)] * color[COLORS.index(c.color)])
        self.hand.remove(best)
        return best


class Game:
    def __init__(self, players, seed=0):
        self.players = players
        deck = [Card(c, n) for c in COLORS for n in NUMBERS]
        np.random.default_rng(seed).shuffle(deck)
        for i, player in enumerate(players):
            player.hand = deck[i * 5:(i + 1) * 5]

    def trick(self, first):
        table = []
        for i in range(len(self.players)):
            table.append(self.players[(first + i) % len(self.players)].choose(table))
        lead = table[0].color
        best = max(range(len(table)), key=lambda i: (table[i].color == lead, table[i].number))
        return (first + best) % len(self.players)

    def play(self):
        tricks, first = [0] * len(self.players), 0
        for _ in range(5):
            first = self.trick(first)
            tricks[first] += 1
        return tricks


keras.utils.set_random_seed(0)
shared = Player("north", 0)
players = [shared] + [Player(name, team, shared.model) for name, team in (("east", 1), ("south", 0), ("west", 1))]
print("tricks", Game(players).play())
