// Behavioural DSP48E2 for simulation: only the modes that this machine uses, a stop on any other.
//   multiplier 27 x 18, optionally behind the pre-adder D + A; registers A2, B1/B2, C, D, AD, M, P;
//   P = W + Z + M with W in {0, P, RND, C} and Z in {0, PCIN, P, C}; the low three OPMODE fields
//   select the product (0101) or nothing (0000).
// Synthesis takes the vendor's primitive of the same name instead of this file.
module DSP48E2 #(
  parameter integer ACASCREG = 1, ADREG = 1, ALUMODEREG = 1, AREG = 1, BCASCREG = 1, BREG = 1,
  parameter integer CARRYINREG = 1, CARRYINSELREG = 1, CREG = 1, DREG = 1, INMODEREG = 1, MREG = 1,
  parameter integer OPMODEREG = 1, PREG = 1,
  parameter AMULTSEL = "A", A_INPUT = "DIRECT", BMULTSEL = "B", B_INPUT = "DIRECT",
  parameter PREADDINSEL = "A", USE_MULT = "MULTIPLY", USE_SIMD = "ONE48",
  parameter USE_PATTERN_DETECT = "NO_PATDET",
  parameter [47:0] RND = 48'd0
) (
  input CLK,
  input signed [29:0] A, input signed [17:0] B, input signed [47:0] C, input signed [26:0] D,
  input signed [29:0] ACIN, input signed [17:0] BCIN, input signed [47:0] PCIN,
  input [4:0] INMODE, input [8:0] OPMODE, input [3:0] ALUMODE, input [2:0] CARRYINSEL,
  input CARRYIN, CARRYCASCIN, MULTSIGNIN,
  input CEA1, CEA2, CEAD, CEALUMODE, CEB1, CEB2, CEC, CECARRYIN, CECTRL, CED, CEINMODE, CEM, CEP,
  input RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP,
  output signed [47:0] P, PCOUT,
  output signed [29:0] ACOUT,
  output signed [17:0] BCOUT
);
  localparam MODELLED = AREG <= 1 && BREG <= 2 && CREG <= 1 && DREG <= 1 && ADREG <= 1
    && MREG == 1 && PREG == 1 && ALUMODEREG == 0 && CARRYINREG == 0 && CARRYINSELREG == 0
    && INMODEREG == 0 && OPMODEREG == 0;

  reg signed [29:0] a2 = 0;
  reg signed [26:0] d = 0, ad = 0;
  reg signed [17:0] b1 = 0, b2 = 0;
  reg signed [47:0] c = 0, p = 0;
  reg signed [44:0] m = 0;

  wire signed [29:0] a_used = AREG == 0 ? A : a2;
  wire signed [26:0] d_used = DREG == 0 ? D : d;
  wire signed [26:0] pre = (INMODE[2] ? d_used : 27'sd0) + (INMODE[1] ? 27'sd0 : a_used[26:0]);
  wire signed [26:0] pre_used = ADREG == 0 ? pre : ad;
  wire signed [26:0] left = AMULTSEL == "AD" ? pre_used : a_used[26:0];
  wire signed [17:0] b_in = B_INPUT == "CASCADE" ? BCIN : B;
  wire signed [17:0] right = BREG == 0 ? b_in : (BREG == 2 && INMODE[4]) ? b1 : b2;
  wire signed [47:0] c_used = CREG == 0 ? C : c;

  wire signed [47:0] w = OPMODE[8:7] == 2'b00 ? 48'sd0 : OPMODE[8:7] == 2'b01 ? p
    : OPMODE[8:7] == 2'b10 ? RND : c_used;
  wire signed [47:0] z = OPMODE[6:4] == 3'b001 ? PCIN : OPMODE[6:4] == 3'b010 ? p
    : OPMODE[6:4] == 3'b011 ? c_used : 48'sd0;
  wire signed [47:0] xy = OPMODE[3:0] == 4'b0101 ? {{3{m[44]}}, m} : 48'sd0;

  always @(posedge CLK) begin
    if (CEA2) a2 <= A;
    if (CED) d <= D;
    if (CEAD) ad <= pre;
    if (CEB1) b1 <= b_in;
    if (CEB2) b2 <= BREG == 2 ? b1 : b_in;
    if (CEC) c <= C;
    if (CEM) m <= left * right;
    if (CEP) p <= w + z + xy;
  end

  assign P = p;
  assign PCOUT = p;
  assign ACOUT = a2;
  assign BCOUT = BREG == 2 && BCASCREG == 1 ? b1 : b2;

  wire bad_mode = ALUMODE != 0 || CARRYIN || CARRYINSEL != 0 || INMODE[3] || INMODE[0]
    || OPMODE[6:4] > 3'b011 || (OPMODE[3:0] != 4'b0101 && OPMODE[3:0] != 4'b0000);
  wire bad_reset = RSTA || RSTALLCARRYIN || RSTALUMODE || RSTB || RSTC || RSTCTRL || RSTD
    || RSTINMODE || RSTM || RSTP;
  initial if (!MODELLED) begin
    $display("DSP48E2: register setting outside the behavioural model");
    $fatal;
  end
  always @(posedge CLK) if (bad_mode || bad_reset) begin
    $display("DSP48E2: mode outside the behavioural model");
    $fatal;
  end
endmodule
