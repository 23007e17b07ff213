package dev.mullion.messaging;

import java.util.List;

/** Messages of topics that a live subscriber gets at once. */
final class LiveBatch extends Parcel {
  private final int count;
  private List<LiveMessage> messages;

  LiveBatch(List<LiveMessage> messages) {
    this.count = messages.size();
    this.messages = messages;
  }

  @Override
  int count() {
    return count;
  }

  /** Returns them once: the parcel itself stays in memory until the next one is handed out. */
  @Override
  List<LiveMessage> deliveries() {
    List<LiveMessage> all = messages;
    messages = List.of();
    return all;
  }

  @Override
  void takeBack() {} // at most once
}
