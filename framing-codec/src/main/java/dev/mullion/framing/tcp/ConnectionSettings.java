package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameFormat;
import dev.mullion.framing.TooLargePolicy;
import dev.mullion.net.base.BoundedLog;

/** The settings shared by all connections of a server or client. */
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
