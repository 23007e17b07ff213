package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.TooLargePolicy;
import dev.mullion.net.base.BoundedLog;

/** What the connections of one server or client have in common. */
record ConnectionSettings(
    FrameFormat format,
    TooLargePolicy tooLargePolicy,
    boolean parts,
    long idleNanos,
    long stallNanos,
    long frameNanos,
    long closeNanos,
    int inboundHigh,
    int outboundLow,
    int outboundHigh,
    MemoryBudget budget,
    TcpCounters totals,
    BoundedLog<Event> log) {}
