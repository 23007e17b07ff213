package dev.mullion.framing.tcp;

import dev.mullion.net.base.DaemonThreads;
import io.netty.util.NetUtil;
import java.io.IOException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/**
 * Resolves names on its own threads, since the system's look-up blocks and cannot be interrupted. A
 * caller may stop waiting; the thread then continues until the system answers. The threads are
 * bounded, daemons, and shared by all clients. Concurrent requests for one name share one look-up.
 * A literal address is not looked up.
 */
final class NameLookup {
  /** The system's look-up. */
  interface Resolver {
    InetAddress[] resolve(String host) throws UnknownHostException;
  }

  static final int MAX_THREADS = 16;

  private static final int MAX_WAITING = 1024;
  private static final int IDLE_SECONDS = 5;

  /** Shared by all clients. */
  static final NameLookup SHARED = new NameLookup(InetAddress::getAllByName);

  private final Resolver resolver;
  private final ThreadPoolExecutor threads;
  private final Map<String, CompletableFuture<List<InetAddress>>> running =
      new ConcurrentHashMap<>();

  NameLookup(Resolver resolver) {
    this(resolver, DaemonThreads.named("mullion-lookup"));
  }

  NameLookup(Resolver resolver, ThreadFactory factory) {
    this.resolver = resolver;
    threads = new ThreadPoolExecutor(
        MAX_THREADS,
        MAX_THREADS,
        IDLE_SECONDS,
        TimeUnit.SECONDS,
        new LinkedBlockingQueue<>(MAX_WAITING),
        factory);
    threads.allowCoreThreadTimeOut(true);
  }

  /** Begins a look-up, or joins one in progress. The caller must not complete the future. */
  CompletableFuture<List<InetAddress>> start(String host) {
    if (NetUtil.isValidIpV4Address(host) || NetUtil.isValidIpV6Address(host)) {
      CompletableFuture<List<InetAddress>> known = new CompletableFuture<>();
      resolve(host, InetAddress::getAllByName, known, () -> {});
      return known;
    }
    CompletableFuture<List<InetAddress>> made = new CompletableFuture<>();
    CompletableFuture<List<InetAddress>> present = running.putIfAbsent(host, made);
    if (present != null) {
      return present;
    }
    try {
      threads.execute(() -> resolve(host, resolver, made, () -> running.remove(host)));
    } catch (RejectedExecutionException e) {
      end(host, made, MAX_THREADS + " look-ups are running and " + MAX_WAITING + " are queued", e);
    } catch (Throwable e) {
      // For instance no thread could be started.
      end(host, made, e.toString(), e);
    }
    return made;
  }

  /** The next caller starts a new look-up. */
  private void end(
      String host, CompletableFuture<List<InetAddress>> made, String why, Throwable cause) {
    running.remove(host);
    made.completeExceptionally(
        new IOException("host: " + host + " is not resolved: " + why, cause));
  }

  /** Returns the number of look-ups in progress. */
  int running() {
    return running.size();
  }

  /** When a caller is notified, its next look-up is already a new one. */
  private static void resolve(
      String host,
      Resolver resolver,
      CompletableFuture<List<InetAddress>> result,
      Runnable beforeEnd) {
    List<InetAddress> found = List.of();
    Throwable failure = null;
    try {
      found = Arrays.stream(resolver.resolve(host)).distinct().toList();
    } catch (UnknownHostException e) {
      failure = new UnknownHostException("host: " + host + " cannot be resolved");
      failure.initCause(e);
    } catch (RuntimeException | Error e) {
      failure = e;
    }
    beforeEnd.run();
    if (failure == null) {
      result.complete(found);
    } else {
      result.completeExceptionally(failure);
    }
  }
}
