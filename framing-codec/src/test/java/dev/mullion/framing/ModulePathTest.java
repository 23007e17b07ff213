package dev.mullion.framing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.lang.module.Configuration;
import java.lang.module.ModuleDescriptor;
import java.lang.module.ModuleFinder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/**
 * What this module depends on resolves whole. netty-codec brought netty-codec-marshalling, whose
 * module needs one of JBoss's that nothing brings, so that {@code --add-modules ALL-MODULE-PATH}
 * failed.
 */
class ModulePathTest {
  private static final Set<String> BROUGHT = Set.of(
      "io.netty.buffer",
      "io.netty.codec",
      "io.netty.common",
      "io.netty.resolver",
      "io.netty.transport",
      "org.jspecify");

  @Test
  void dependenciesResolveAsModules() {
    ModuleFinder jars = ModuleFinder.of(Arrays.stream(
            System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"))
                .split(File.pathSeparator))
        .filter(entry -> entry.matches(".*[/\\\\](netty|jspecify)-[^/\\\\]*\\.jar"))
        .map(Path::of)
        .toArray(Path[]::new));

    Set<String> resolved = Configuration.resolve(
            jars, List.of(ModuleLayer.boot().configuration()), ModuleFinder.of(), BROUGHT)
        .modules()
        .stream()
        .map(each -> each.reference().descriptor())
        .map(ModuleDescriptor::name)
        .collect(Collectors.toSet());

    assertThat(resolved).isEqualTo(BROUGHT);
    assertThat(jars.find("io.netty.codec.unused")).as("netty-codec").isEmpty();
    assertThat(jars.find("io.netty.codec.marshalling")).isEmpty();
  }
}
