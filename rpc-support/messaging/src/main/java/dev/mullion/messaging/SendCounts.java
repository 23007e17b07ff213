package dev.mullion.messaging;

import java.util.concurrent.atomic.LongAdder;

/** The counts of what a {@code Messaging} has sent. */
final class SendCounts {
  final LongAdder sentNow = new LongAdder(); // sent and accepted in one step
  final LongAdder sent = new LongAdder();
  final LongAdder accepted = new LongAdder();
  final LongAdder failed = new LongAdder();
  final LongAdder dropped = new LongAdder();
  final LongAdder requests = new LongAdder();
  final LongAdder timedOut = new LongAdder();
  final LongAdder lateReplies = new LongAdder();
  final LongAdder reconnects = new LongAdder();
}
