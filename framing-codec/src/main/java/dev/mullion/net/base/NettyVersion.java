package dev.mullion.net.base;

import io.netty.util.Version;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * Checks that Netty is new enough before a server or client uses its newer classes. Spring Boot 3,
 * for example, manages Netty 4.1, which would cause a {@link NoClassDefFoundError}.
 */
public final class NettyVersion {
  /** The version that this build uses. */
  static final String BUILT_WITH = "4.2.18.Final";

  /** Classes that exist in 4.2.0 but not in 4.1, by artifact. */
  private static final Map<String, String> NEW_IN_4_2 = Map.of(
      "netty-common", "io.netty.util.concurrent.Ticker",
      "netty-transport", "io.netty.channel.IoHandlerFactory");

  private static final List<String> NAMED =
      List.of("netty-buffer", "netty-codec", "netty-common", "netty-handler", "netty-transport");

  private NettyVersion() {}

  /**
   * Checks that Netty is 4.2.
   *
   * @throws IllegalStateException if it is older; the message names the version found and the
   *     setting to change
   */
  public static void check() {
    ClassLoader loader = NettyVersion.class.getClassLoader();
    if (!NEW_IN_4_2.values().stream().allMatch(name -> isThere(name, loader))) {
      throw new IllegalStateException("netty: " + found(loader) + " (expected: 4.2, such as "
          + BUILT_WITH + "; with Spring Boot's parent set the Maven property netty.version to it,"
          + " otherwise import dev.mullion:mullion-parent as a BOM before all others)");
    }
  }

  private static boolean isThere(String name, ClassLoader loader) {
    try {
      Class.forName(name, false, loader);
      return true;
    } catch (ClassNotFoundException absent) {
      return false;
    }
  }

  /** Netty's jars contain version files, which may be missing in a fat jar. */
  private static String found(ClassLoader loader) {
    Map<String, Version> versions = new TreeMap<>(Version.identify(loader));
    versions.keySet().retainAll(NAMED);
    String old = versions.values().stream()
        .filter(each -> !each.artifactVersion().startsWith("4.2."))
        .map(each -> each.artifactId() + " " + each.artifactVersion())
        .collect(Collectors.joining(", "));
    return old.isEmpty() ? "older than 4.2" : old;
  }
}
