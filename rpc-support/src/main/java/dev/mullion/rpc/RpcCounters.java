package dev.mullion.rpc;

import io.grpc.Status;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;

/**
 * What a server has done since it started. Calls of health and reflection are not counted. Any thread
 * may read it.
 */
public final class RpcCounters {
  private static final int CODES = Status.Code.values().length;

  final AtomicInteger connectionsOpen = new AtomicInteger();
  final LongAdder connectionsOpened = new LongAdder();
  final LongAdder connectionsRefused = new LongAdder();
  final LongAdder connectionsEndedForResets = new LongAdder();
  final LongAdder connectionsEndedForPings = new LongAdder();
  final AtomicInteger callsOpen = new AtomicInteger();
  final AtomicInteger callsWaiting = new AtomicInteger();
  final LongAdder callsWithoutThread = new LongAdder();
  final LongAdder callsStarted = new LongAdder();
  final LongAdder callsRefused = new LongAdder();
  final LongAdder callsTimedOut = new LongAdder();
  final LongAdder callsCut = new LongAdder();
  final LongAdder accessRecordsDropped = new LongAdder();
  final LongAdder tlsReloadsFailed = new LongAdder();
  final LongAdder observersFailed = new LongAdder();
  private final LongAdder[] callsEnded = new LongAdder[CODES];

  RpcCounters() {
    for (int i = 0; i < CODES; i++) {
      callsEnded[i] = new LongAdder();
    }
  }

  void ended(Status.Code code) {
    callsEnded[code.value()].increment();
  }

  /** Returns how many connections are open now. */
  public int connectionsOpen() {
    return connectionsOpen.get();
  }

  /** Returns how many connections were accepted. */
  public long connectionsOpened() {
    return connectionsOpened.sum();
  }

  /** Returns how many connections were closed at once, since {@code maxConnections} were open. */
  public long connectionsRefused() {
    return connectionsRefused.sum();
  }

  /** Returns how many connections were ended since their clients reset more calls than they may. */
  public long connectionsEndedForResets() {
    return connectionsEndedForResets.sum();
  }

  /** Returns how many connections were ended since their clients pinged more often than they may. */
  public long connectionsEndedForPings() {
    return connectionsEndedForPings.sum();
  }

  /** Returns how many calls are open now. */
  public int callsOpen() {
    return callsOpen.get();
  }

  /** Returns how many of the open calls wait for a thread to run on. */
  public int callsWaiting() {
    return callsWaiting.get();
  }

  /** Returns how many calls were ended since no thread was free for {@code threadTimeout}. */
  public long callsWithoutThread() {
    return callsWithoutThread.sum();
  }

  /** Returns how many calls came and were not refused. */
  public long callsStarted() {
    return callsStarted.sum();
  }

  /** Returns how many calls were refused at once, since {@code maxCalls} were open. */
  public long callsRefused() {
    return callsRefused.sum();
  }

  /** Returns how many calls were ended by a timeout of the server's. */
  public long callsTimedOut() {
    return callsTimedOut.sum();
  }

  /** Returns how many calls were cancelled by force at a stop. */
  public long callsCut() {
    return callsCut.sum();
  }

  /** Returns how many calls are missing from the access log, since it was not as quick as they were. */
  public long accessRecordsDropped() {
    return accessRecordsDropped.sum();
  }

  /**
   * Returns how often files for TLS were to be read again and could not be used, as in {@link
   * TlsState#failedReloads}, which is there for channels too.
   */
  public long tlsReloadsFailed() {
    return tlsReloadsFailed.sum();
  }

  /**
   * Returns how often what watches calls has thrown: an access log, or a registry of meters. The calls
   * went on.
   */
  public long observersFailed() {
    return observersFailed.sum();
  }

  /** Returns how many calls ended well. */
  public long callsSucceeded() {
    return callsEnded(Status.Code.OK);
  }

  /** Returns how many calls ended with another status than {@code OK}, without those refused. */
  public long callsFailed() {
    long failed = 0;
    for (Status.Code code : Status.Code.values()) {
      failed += code == Status.Code.OK ? 0 : callsEnded(code);
    }
    return failed;
  }

  /** Returns how many calls ended with a status, without those refused. */
  public long callsEnded(Status.Code code) {
    return callsEnded[code.value()].sum();
  }

  /** Returns every counter by its name. */
  public Map<String, Long> asMap() {
    Map<String, Long> all = new LinkedHashMap<>();
    all.put("connectionsOpen", (long) connectionsOpen());
    all.put("connectionsOpened", connectionsOpened());
    all.put("connectionsRefused", connectionsRefused());
    all.put("connectionsEndedForResets", connectionsEndedForResets());
    all.put("connectionsEndedForPings", connectionsEndedForPings());
    all.put("callsOpen", (long) callsOpen());
    all.put("callsWaiting", (long) callsWaiting());
    all.put("callsStarted", callsStarted());
    all.put("callsSucceeded", callsSucceeded());
    all.put("callsFailed", callsFailed());
    all.put("callsRefused", callsRefused());
    all.put("callsTimedOut", callsTimedOut());
    all.put("callsWithoutThread", callsWithoutThread());
    all.put("callsCut", callsCut());
    all.put("accessRecordsDropped", accessRecordsDropped());
    all.put("tlsReloadsFailed", tlsReloadsFailed());
    all.put("observersFailed", observersFailed());
    return all;
  }

  /** Names every counter with its value. */
  @Override
  public String toString() {
    return "RpcCounters" + asMap();
  }
}
