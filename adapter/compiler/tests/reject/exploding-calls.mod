NEURON {
    SUFFIX leak
    NONSPECIFIC_CURRENT i
    RANGE g
}

PARAMETER {
    g = 0.001 (S/cm2)
    v (mV)
}

BREAKPOINT {
    i = f39(v) : error[nesting-too-deep]
}

FUNCTION f0(x) {
    f0 = x
}

FUNCTION f1(x) {
    f1 = f0(x) + f0(x + 1)
}

FUNCTION f2(x) {
    f2 = f1(x) + f1(x + 1)
}

FUNCTION f3(x) {
    f3 = f2(x) + f2(x + 1)
}

FUNCTION f4(x) {
    f4 = f3(x) + f3(x + 1)
}

FUNCTION f5(x) {
    f5 = f4(x) + f4(x + 1)
}

FUNCTION f6(x) {
    f6 = f5(x) + f5(x + 1)
}

FUNCTION f7(x) {
    f7 = f6(x) + f6(x + 1)
}

FUNCTION f8(x) {
    f8 = f7(x) + f7(x + 1)
}

FUNCTION f9(x) {
    f9 = f8(x) + f8(x + 1)
}

FUNCTION f10(x) {
    f10 = f9(x) + f9(x + 1)
}

FUNCTION f11(x) {
    f11 = f10(x) + f10(x + 1)
}

FUNCTION f12(x) {
    f12 = f11(x) + f11(x + 1)
}

FUNCTION f13(x) {
    f13 = f12(x) + f12(x + 1)
}

FUNCTION f14(x) {
    f14 = f13(x) + f13(x + 1)
}

FUNCTION f15(x) {
    f15 = f14(x) + f14(x + 1)
}

FUNCTION f16(x) {
    f16 = f15(x) + f15(x + 1)
}

FUNCTION f17(x) {
    f17 = f16(x) + f16(x + 1)
}

FUNCTION f18(x) {
    f18 = f17(x) + f17(x + 1)
}

FUNCTION f19(x) {
    f19 = f18(x) + f18(x + 1)
}

FUNCTION f20(x) {
    f20 = f19(x) + f19(x + 1)
}

FUNCTION f21(x) {
    f21 = f20(x) + f20(x + 1)
}

FUNCTION f22(x) {
    f22 = f21(x) + f21(x + 1)
}

FUNCTION f23(x) {
    f23 = f22(x) + f22(x + 1)
}

FUNCTION f24(x) {
    f24 = f23(x) + f23(x + 1)
}

FUNCTION f25(x) {
    f25 = f24(x) + f24(x + 1)
}

FUNCTION f26(x) {
    f26 = f25(x) + f25(x + 1)
}

FUNCTION f27(x) {
    f27 = f26(x) + f26(x + 1)
}

FUNCTION f28(x) {
    f28 = f27(x) + f27(x + 1)
}

FUNCTION f29(x) {
    f29 = f28(x) + f28(x + 1)
}

FUNCTION f30(x) {
    f30 = f29(x) + f29(x + 1)
}

FUNCTION f31(x) {
    f31 = f30(x) + f30(x + 1)
}

FUNCTION f32(x) {
    f32 = f31(x) + f31(x + 1)
}

FUNCTION f33(x) {
    f33 = f32(x) + f32(x + 1)
}

FUNCTION f34(x) {
    f34 = f33(x) + f33(x + 1)
}

FUNCTION f35(x) {
    f35 = f34(x) + f34(x + 1)
}

FUNCTION f36(x) {
    f36 = f35(x) + f35(x + 1)
}

FUNCTION f37(x) {
    f37 = f36(x) + f36(x + 1)
}

FUNCTION f38(x) {
    f38 = f37(x) + f37(x + 1)
}

FUNCTION f39(x) {
    f39 = f38(x) + f38(x + 1)
}

