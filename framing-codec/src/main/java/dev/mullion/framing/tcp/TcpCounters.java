package dev.mullion.framing.tcp;

import dev.mullion.framing.FrameCounters;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/** What a server or a client has done since it started. Any thread may read it. */
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

  /** Returns how many connections wait now for a thread for their blocking handler. */
  public int connectionsWaiting() {
    return connectionsWaiting.get();
  }

  /** Returns how many connections were accepted and served, or made. */
  public long connectionsOpened() {
    return connectionsOpened.sum();
  }

  /** Returns how many connections were closed at once, since {@code maxConnections} were open. */
  public long connectionsRefused() {
    return connectionsRefused.sum();
  }

  /**
   * Returns how many connections ended without their blocking handler, since no thread was free for
   * it within {@code handlerThreadTimeout}, or before the server stopped or the peer closed.
   */
  public long connectionsNotServed() {
    return connectionsNotServed.sum();
  }

  /**
   * Returns how often a connection could not be accepted, for want of file descriptors for
   * instance.
   */
  public long acceptsFailed() {
    return acceptsFailed.sum();
  }

  /** Returns how many connections ended before their TLS handshake was done. */
  public long handshakesFailed() {
    return handshakesFailed.sum();
  }

  /** Returns how many connections were closed for being idle. */
  public long connectionsIdle() {
    return connectionsIdle.sum();
  }

  /**
   * Returns how many connections were closed since this side did not go on with them for {@code
   * stallTimeout}.
   */
  public long connectionsStalled() {
    return connectionsStalled.sum();
  }

  /** Returns how many connections were closed by force at a stop. */
  public long connectionsCut() {
    return connectionsCut.sum();
  }

  /** Returns how many connections ended with an error: reset, out of step, timed out. */
  public long connectionsFailed() {
    return connectionsFailed.sum();
  }

  /**
   * Returns how many connections were closed behind everything that was sent, before their peer had
   * ended its side. Such a peer may not have read all of it.
   */
  public long closesUnconfirmed() {
    return closesUnconfirmed.sum();
  }

  /**
   * Returns how many connections were closed since a frame was not complete in {@code
   * frameTimeout}.
   */
  public long framesTimedOut() {
    return framesTimedOut.sum();
  }

  /** Returns how often a connection was not read from, since its handler or its peer was behind. */
  public long readsPaused() {
    return readsPaused.sum();
  }

  /** Returns how often a connection was not read from, since the memory budget was used up. */
  public long readsPausedForMemory() {
    return readsPausedForMemory.sum();
  }

  /**
   * Returns how often a connection's queue was full, so that frames had to wait or were refused.
   */
  public long sendsDelayed() {
    return sendsDelayed.sum();
  }

  /** Returns how many frames were refused since there was no room; their senders were told. */
  public long sendsRefused() {
    return sendsRefused.sum();
  }

  /**
   * Returns the bytes of frames that were taken to be sent when their connection broke or was cut.
   */
  public long bytesNotSent() {
    return bytesNotSent.sum();
  }

  /**
   * Returns the bytes that had come and that no handler took before their connection was closed.
   */
  public long bytesNotHandled() {
    return bytesNotHandled.sum();
  }

  /**
   * Returns how often code that is not the library's has thrown: a handler, a subscriber, a length
   * encoding, whatever the connection calls. Each of these connections was closed.
   */
  public long handlersFailed() {
    return handlersFailed.sum();
  }

  /** Returns how often a handler held an event loop for longer than {@code slowHandlerLimit}. */
  public long handlersSlow() {
    return handlersSlow.sum();
  }

  /** Returns how many requests of a client were not answered in time. */
  public long requestsTimedOut() {
    return requestsTimedOut.sum();
  }

  /**
   * Returns how many replies came for requests that were cancelled or timed out, for frames that
   * were no requests, or for none.
   */
  public long repliesDropped() {
    return repliesDropped.sum();
  }

  /**
   * Returns how many of them came when no reply was due. A server that sends such frames does not
   * answer each frame with one frame, and no reply of it can be trusted.
   */
  public long repliesUnrequested() {
    return repliesUnrequested.sum();
  }

  /** Returns how often a client has connected again. */
  public long reconnects() {
    return reconnects.sum();
  }

  /** Returns how many attempts of a client to connect again have failed. */
  public long reconnectsFailed() {
    return reconnectsFailed.sum();
  }

  /** Returns how often changed TLS files could not be used; the previous ones stayed in use. */
  public long tlsReloadsFailed() {
    return tlsReloadsFailed.sum();
  }

  /** Returns the counters of frames over all connections. */
  public FrameCounters frames() {
    return frames;
  }

  /** Returns every counter but those of frames, by its name. */
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

  /** Names every counter with its value. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("TcpCounters[");
    asMap().forEach((name, value) -> text.append(name).append('=').append(value).append(", "));
    return text.append("frames=").append(frames).append(']').toString();
  }
}
