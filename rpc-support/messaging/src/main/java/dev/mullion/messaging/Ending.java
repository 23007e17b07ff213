package dev.mullion.messaging;

/** How a delivery ends, each of them in exactly one way. */
enum Ending {
  ACKNOWLEDGED(0),
  FAILED(1),
  TIMED_OUT(2),
  REJECTED(3),
  UNDECODABLE(4),
  GIVEN_BACK(5),
  BURIED(6);

  /** Where it is counted. */
  final int index;

  Ending(int index) {
    this.index = index;
  }
}
