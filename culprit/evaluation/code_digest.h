#pragma once

#include <span>
#include <string_view>

namespace culprit {

/// 8 hexadecimal digits that change with the code that a method's answers can depend on, its
/// compiler and flags included (tools/code_digests.py finds that code at build time).
struct CodeDigest {
    std::string_view method;
    std::string_view digest;
};

/// Of every method of the catalog, and of the expectation of chance.
std::span<const CodeDigest> code_digests();

}  // namespace culprit
