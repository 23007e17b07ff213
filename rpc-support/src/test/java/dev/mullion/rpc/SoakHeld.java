package dev.mullion.rpc;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/** What this process holds: bytes of the heap that are in use, file descriptors and threads. */
record SoakHeld(long heap, long descriptors, Map<String, Integer> threads) {
  private static final Path DESCRIPTORS = Path.of("/proc/self/fd");
  private static final int TOLERANCE = 8;

  /** Threads of pools that are bounded, and end when they have been idle for a while. */
  private static final List<String> POOLED = List.of(
      "mullion-call-", "mullion-handler-", "mullion-connection-", "grpc-", "process reaper");

  static SoakHeld now() throws IOException {
    long heap = Long.MAX_VALUE;
    // What is freed by finalizers and cleaners is free only at the next collection.
    for (int i = 0; i < 5; i++) {
      System.gc();
      LockSupport.parkNanos(100_000_000);
      Runtime runtime = Runtime.getRuntime();
      heap = Math.min(heap, runtime.totalMemory() - runtime.freeMemory());
    }
    return new SoakHeld(heap, openDescriptors(), threadsByName());
  }

  private static long openDescriptors() throws IOException {
    if (!Files.isDirectory(DESCRIPTORS)) {
      return 0;
    }
    try (Stream<Path> open = Files.list(DESCRIPTORS)) {
      return open.count();
    }
  }

  private static Map<String, Integer> threadsByName() {
    Map<String, Integer> threads = new TreeMap<>();
    for (Thread thread : Thread.getAllStackTraces().keySet()) {
      String name = thread.getName();
      if (POOLED.stream().noneMatch(name::startsWith)) {
        threads.merge(name.replaceAll("\\d+", "N"), 1, Integer::sum);
      }
    }
    return threads;
  }

  /** Returns what is held beyond what was held before, in words. */
  List<String> beyond(SoakHeld before, long heapTolerance) {
    List<String> beyond = new ArrayList<>();
    if (heap > before.heap + heapTolerance) {
      beyond.add("heap: " + heap + " bytes, before " + before.heap);
    }
    if (descriptors > before.descriptors + TOLERANCE) {
      beyond.add("descriptors: " + descriptors + ", before " + before.descriptors);
    }
    threads.forEach((name, number) -> {
      int was = before.threads.getOrDefault(name, 0);
      if (number > was + TOLERANCE) {
        beyond.add("threads " + name + ": " + number + ", before " + was);
      }
    });
    return beyond;
  }
}
