package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameCounters;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/** The counters of a server or a client since it started. Any thread may read them. */
public final class TcpCounters {
  final AtomicInteger connectionsOpen = new AtomicInteger();
  final AtomicInteger connectionsWaiting = new AtomicInteger();
  final LongAdder connectionsOpened = new LongAdder();
  final LongAdder connectionsRefused = new LongAdder();
  final LongAdder connectionsNotServed = new LongAdder();
  final LongAdder acceptsFailed = new LongAdder();
  final LongAdder handshakesFailed = new LongAdder();
  final LongAdder connectionsIdle = new LongAdder();
  final LongAdder connectionsStalled = new LongAdder();
  final LongAdder connectionsCut = new LongAdder();
  final LongAdder connectionsFailed = new LongAdder();
  final LongAdder closesUnconfirmed = new LongAdder();
  final LongAdder framesTimedOut = new LongAdder();
  final LongAdder readsPaused = new LongAdder();
  final LongAdder readsPausedForMemory = new LongAdder();
  final LongAdder sendsDelayed = new LongAdder();
  final LongAdder sendsRefused = new LongAdder();
  final LongAdder bytesNotSent = new LongAdder();
  final LongAdder bytesNotHandled = new LongAdder();
  final LongAdder handlersFailed = new LongAdder();
  final LongAdder handlersSlow = new LongAdder();
  final LongAdder requestsTimedOut = new LongAdder();
  final LongAdder repliesDropped = new LongAdder();
  final LongAdder repliesUnrequested = new LongAdder();
  final LongAdder reconnects = new LongAdder();
  final LongAdder reconnectsFailed = new LongAdder();
  final LongAdder tlsReloadsFailed = new LongAdder();
  private final FrameCounters frames = new FrameCounters();

  TcpCounters() {}

  /** Returns how many connections are open now. */
  public int connectionsOpen() {
    return connectionsOpen.get();
  }

  /** Returns how many connections now wait for a thread for their blocking handler. */
  public int connectionsWaiting() {
    return connectionsWaiting.get();
  }

  /** Returns how many connections were accepted and served, or opened by a client. */
  public long connectionsOpened() {
    return connectionsOpened.sum();
  }

  /** Returns how many connections were rejected because {@code maxConnections} were open. */
  public long connectionsRefused() {
    return connectionsRefused.sum();
  }

  /**
   * Returns how many connections ended before their blocking handler ran: no thread was free within
   * {@code handlerThreadTimeout}, or before the server stopped or the peer closed.
   */
  public long connectionsNotServed() {
    return connectionsNotServed.sum();
  }

  /**
   * Returns how often accepting a connection failed, for instance because file descriptors were
   * exhausted.
   */
  public long acceptsFailed() {
    return acceptsFailed.sum();
  }

  /** Returns how many connections ended before their TLS handshake completed. */
  public long handshakesFailed() {
    return handshakesFailed.sum();
  }

  /** Returns how many connections were closed because they were idle for {@code idleTimeout}. */
  public long connectionsIdle() {
    return connectionsIdle.sum();
  }

  /**
   * Returns how many connections were closed because this side was stalled for {@code
   * stallTimeout}.
   */
  public long connectionsStalled() {
    return connectionsStalled.sum();
  }

  /** Returns how many connections a stop closed by force. */
  public long connectionsCut() {
    return connectionsCut.sum();
  }

  /** Returns how many connections ended with an error: reset, protocol violation, timeout. */
  public long connectionsFailed() {
    return connectionsFailed.sum();
  }

  /**
   * Returns how many connections were closed after everything was sent but before their peer had
   * ended its side. Such a peer may not have read all of it.
   */
  public long closesUnconfirmed() {
    return closesUnconfirmed.sum();
  }

  /**
   * Returns how many connections were closed because a frame was incomplete after {@code
   * frameTimeout}.
   */
  public long framesTimedOut() {
    return framesTimedOut.sum();
  }

  /** Returns how often reading paused because the connection's handler or peer was behind. */
  public long readsPaused() {
    return readsPaused.sum();
  }

  /** Returns how often reading paused because the memory budget was exhausted. */
  public long readsPausedForMemory() {
    return readsPausedForMemory.sum();
  }

  /**
   * Returns how often a connection's queue was full, so that frames had to wait or were rejected.
   */
  public long sendsDelayed() {
    return sendsDelayed.sum();
  }

  /** Returns how many frames were rejected for lack of room; their senders were notified. */
  public long sendsRefused() {
    return sendsRefused.sum();
  }

  /**
   * Returns the bytes of accepted frames that were not sent when their connection broke or was cut.
   */
  public long bytesNotSent() {
    return bytesNotSent.sum();
  }

  /** Returns the bytes received but not taken by a handler before their connection was closed. */
  public long bytesNotHandled() {
    return bytesNotHandled.sum();
  }

  /**
   * Returns how often user code threw: a handler, a subscriber, a length encoding, or any other
   * code that a connection calls. Each of these connections was closed.
   */
  public long handlersFailed() {
    return handlersFailed.sum();
  }

  /** Returns how often a handler held an event loop for longer than {@code slowHandlerLimit}. */
  public long handlersSlow() {
    return handlersSlow.sum();
  }

  /** Returns how many requests of a client timed out without a reply. */
  public long requestsTimedOut() {
    return requestsTimedOut.sum();
  }

  /**
   * Returns how many replies were dropped: their requests were cancelled or timed out, they
   * answered frames that were not requests, or no reply was due.
   */
  public long repliesDropped() {
    return repliesDropped.sum();
  }

  /**
   * Returns how many dropped replies arrived when no reply was due. A server that sends such frames
   * does not answer each frame with one frame, so its replies cannot be trusted.
   */
  public long repliesUnrequested() {
    return repliesUnrequested.sum();
  }

  /** Returns how often a client has reconnected. */
  public long reconnects() {
    return reconnects.sum();
  }

  /** Returns how many reconnect attempts of a client have failed. */
  public long reconnectsFailed() {
    return reconnectsFailed.sum();
  }

  /** Returns how often changed TLS files could not be used; the previous ones stayed in use. */
  public long tlsReloadsFailed() {
    return tlsReloadsFailed.sum();
  }

  /** Returns the frame counters of all connections. */
  public FrameCounters frames() {
    return frames;
  }

  /** Returns every counter by its name, except those of frames. */
  public Map<String, Long> asMap() {
    Map<String, Long> all = new LinkedHashMap<>();
    all.put("connectionsOpen", (long) connectionsOpen());
    all.put("connectionsWaiting", (long) connectionsWaiting());
    all.put("connectionsOpened", connectionsOpened());
    all.put("connectionsRefused", connectionsRefused());
    all.put("connectionsNotServed", connectionsNotServed());
    all.put("acceptsFailed", acceptsFailed());
    all.put("handshakesFailed", handshakesFailed());
    all.put("connectionsIdle", connectionsIdle());
    all.put("connectionsStalled", connectionsStalled());
    all.put("connectionsCut", connectionsCut());
    all.put("connectionsFailed", connectionsFailed());
    all.put("closesUnconfirmed", closesUnconfirmed());
    all.put("framesTimedOut", framesTimedOut());
    all.put("readsPaused", readsPaused());
    all.put("readsPausedForMemory", readsPausedForMemory());
    all.put("sendsDelayed", sendsDelayed());
    all.put("sendsRefused", sendsRefused());
    all.put("bytesNotSent", bytesNotSent());
    all.put("bytesNotHandled", bytesNotHandled());
    all.put("handlersFailed", handlersFailed());
    all.put("handlersSlow", handlersSlow());
    all.put("requestsTimedOut", requestsTimedOut());
    all.put("repliesDropped", repliesDropped());
    all.put("repliesUnrequested", repliesUnrequested());
    all.put("reconnects", reconnects());
    all.put("reconnectsFailed", reconnectsFailed());
    all.put("tlsReloadsFailed", tlsReloadsFailed());
    return all;
  }

  /** Returns every counter with its value. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("TcpCounters[");
    asMap().forEach((name, value) -> text.append(name).append('=').append(value).append(", "));
    return text.append("frames=").append(frames).append(']').toString();
  }
}
