"""How models/nano is made: pages are set, a network is trained on them and measured."""
